using System.Globalization;
using Quern.Benchmarks.Limits;
using Quern.Engine;
using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;

namespace Quern.Benchmarks.Serving;

/// <summary>
/// What speculation gives on a model when a proposed token is right with a chance that is fixed: a drafter that knows the text replays it, and errs on purpose. Tokens a second beside plain decoding, and
/// beside what the formula says for the costs of the same run: (1 − α^(k+1)) / (1 − α) tokens in the time of a pass over k + 1. Of a tree of b branches, α is the chance that one token of a level is right, and the pass is
/// over k b + 1.
/// </summary>
internal static class SpeculationNumbers
{
    private const int Tokens = 96, Rounds = 9;
    private static readonly (double Acceptance, int Length, int Branches)[] Settings = [(0.6, 2, 1), (0.8, 2, 1), (0.8, 4, 1), (0.8, 7, 1), (0.9, 4, 1), (1, 4, 1), (0.6, 4, 1), (0.75, 4, 2), (0.82, 4, 3)];

    /// <summary>Prints a Markdown table.</summary>
    public static async Task<int> Print(string path)
    {
        using QuernModel model = QuernModel.Load(path, new ModelOptions { ContextLength = 512 });
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(path)}, {Isa.Name}, {model.Threads} threads; medians of {Rounds} rounds, in turns\n"));
        int[] text = (await Generate(model, null)).Text;
        using ThreadTeam team = new(model.Threads);
        List<double> plain = [], limits = [];
        List<double>[] speeds = [.. Settings.Select(_ => new List<double>())], passes = [.. Settings.Select(_ => new List<double>())];
        for (int round = 0; round <= Rounds; round++)
        {
            double one = (await Generate(model, null)).TokensPerSecond;
            limits.Add(MachineLimits.ReadBytesPerSecond(team));
            if (round > 0) plain.Add(one); // the first round assembles kernels
            for (int i = 0; i < Settings.Length; i++)
            {
                (int[] same, double speed, EngineStatistics statistics) = await Generate(model, new ReplayDrafter(text, Settings[i].Acceptance, seed: round, Settings[i].Length, Settings[i].Branches));
                if (!same.SequenceEqual(text)) throw new InvalidOperationException("speculation changed the text");
                if (round == 0) continue;
                speeds[i].Add(speed);
                // The step of the prompt is no pass of k + 1.
                passes[i].Add(statistics.ComputingTime.TotalSeconds / statistics.Steps);
            }
        }

        double limit = Median(limits) / model.WeightBytes;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"plain: {Median(plain):f1} tokens a second, {100 * Median(plain) / limit:f0} % of the {limit:f1} that reading all weights at {Median(limits) / 1e9:f1} GB/s allows\n"));
        Console.WriteLine("| α | k | b | tokens a second | against plain | tokens a pass by the formula | of the formula's speed |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        for (int i = 0; i < Settings.Length; i++)
        {
            (double a, int k, int b) = Settings[i];
            double expected = a == 1 ? k + 1 : (1 - Math.Pow(a, k + 1)) / (1 - a), speed = Median(speeds[i]);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {a} | {k} | {b} | {speed:f1} | {speed / Median(plain):f2} | {expected:f2} | {100 * speed * Median(passes[i]) / expected:f0} % |"));
        }

        return 0;
    }

    private static async Task<(int[] Text, double TokensPerSecond, EngineStatistics Statistics)> Generate(QuernModel model, ReplayDrafter? drafter)
    {
        SpeculationOptions? speculation = drafter is null ? null : new SpeculationOptions { MaxTokens = drafter.Length, Branches = drafter.Branches, Adaptive = false };
        await using InferenceEngine engine = new(model, new EngineOptions { MaxSequences = 1, SharePrefixes = false, Speculation = speculation }, drafter);
        List<int> text = [];
        GenerationStatistics cost = default;
        await foreach (GeneratedText piece in engine.Submit([1, 100, 200], new GenerationOptions { MaxTokens = Tokens, IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0 } }).ReadAsync())
        {
            if (piece.Token != Generation.None) text.Add(piece.Token);
            cost = piece.Statistics ?? cost;
        }

        return ([.. text], cost.TokensPerSecond, engine.Statistics);
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    /// <summary>Knows a text, and says it with mistakes.</summary>
    private sealed class ReplayDrafter(int[] text, double acceptance, int seed, int length, int branches) : IDrafter
    {
        private const int Prompt = 3;
        private readonly Random _random = new(seed);

        public int Length => length;

        public int Branches => branches;

        public double SecondsPerToken(int branches) => 0;

        public bool CanPropose(EngineSequence sequence) => true;

        public void Propose(List<EngineSequence> sequences)
        {
            foreach (EngineSequence sequence in sequences)
            {
                Proposal proposal = sequence.Proposal!;
                int parent = Proposal.Root;
                for (int level = 0; level < proposal.Wanted / branches; level++)
                {
                    // One of a level is right, or none; the next level comes behind it.
                    int right = text[Math.Min(text.Length - 1, sequence.Tokens.Length - Prompt + level)];
                    int place = _random.NextDouble() < acceptance ? _random.Next(branches) : branches, next = parent;
                    for (int i = 0; i < branches; i++)
                    {
                        int added = proposal.Add(i == place ? right : (right + 1 + i) % 1000, parent);
                        if (i == Math.Min(place, branches - 1)) next = added;
                    }

                    parent = next;
                }
            }
        }

        public void Keep(EngineSequence sequence, int tokens)
        {
        }

        public void Dispose()
        {
        }
    }
}
