using System.Globalization;
using Quern.Engine;
using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;

namespace Quern.Benchmarks.Serving;

/// <summary>What adaptive speculation gives on a model and a draft, on texts of the model itself: plain decoding, twice, and each kind of proposals in turns, every one by an engine of its own that lives for a round of texts.</summary>
internal static class SpeculationPair
{
    private const int Tokens = 250, Rounds = 61;

    private static readonly string[] Prompts =
    [
        "Once upon a time, there was a little fox named Mia.", "One day, Tom and his sister went to the", "The old baker looked at the", "It was raining, and", "\"Can you help me?\" said", "In the morning, the farmer",
    ];

    /// <summary>Prints a Markdown table.</summary>
    public static async Task<int> Print(string path, string draftPath)
    {
        using QuernModel model = QuernModel.Load(path);
        using QuernModel draft = model.LoadBeside(draftPath, model.Options);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Path.GetFileName(path)}, {Isa.Name}, {model.Threads} threads; {Prompts.Length} texts of at most {Tokens} tokens, medians of {Rounds} rounds, in turns\n"));
        Console.WriteLine("| sampling | proposals | tokens a second | against plain | proposed | of them right |\n| --- | --- | ---: | ---: | ---: | ---: |");
        foreach (float temperature in new[] { 0f, 0.8f })
        {
            (string Name, SpeculationOptions? Options)[] kinds =
            [
                ("none", null), ("ngram", new()), ("ngram, trees of 2", new() { Branches = 2 }), ("suffix", new() { RememberedTokens = 10_000 }), ("suffix, trees of 2", new() { RememberedTokens = 10_000, Branches = 2 }),
                ("model", new() { Draft = draft }), ("model, trees of 2", new() { Draft = draft, Branches = 2 }), ("model, trees of 3", new() { Draft = draft, Branches = 3 }),
                ("model, always 4", new() { Draft = draft, MaxTokens = 4, Adaptive = false }), ("model, always 4 levels of 2", new() { Draft = draft, MaxTokens = 4, Branches = 2, Adaptive = false }), ("none, again", null),
            ];
            List<double>[] speeds = [.. kinds.Select(_ => new List<double>())];
            EngineStatistics[] last = new EngineStatistics[kinds.Length];
            for (int round = 0; round <= Rounds; round++)
            {
                for (int i = 0; i < kinds.Length; i++)
                {
                    (double speed, last[i]) = await Generate(model, kinds[i].Options, temperature, (ulong)round);
                    if (round > 0) speeds[i].Add(speed); // the first round compiles
                }
            }

            for (int i = 0; i < kinds.Length; i++)
            {
                // Rounds see the same minutes, and so their ratios do.
                double ratio = speeds[i].Zip(speeds[0], (kind, plain) => kind / plain).Order().ElementAt(Rounds / 2);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {(temperature == 0 ? "greedy" : $"temperature {temperature}")} | {kinds[i].Name} | {speeds[i].Order().ElementAt(Rounds / 2):f0} | {ratio:f2} | {last[i].ProposedTokens} | {100.0 * last[i].AcceptedTokens / Math.Max(1, last[i].ProposedTokens):f0} % |"));
            }
        }

        return 0;
    }

    private static async Task<(double Speed, EngineStatistics Statistics)> Generate(QuernModel model, SpeculationOptions? speculation, float temperature, ulong seed)
    {
        await using InferenceEngine engine = new(model, new EngineOptions { MaxSequences = 1, SharePrefixes = false, Speculation = speculation });
        double seconds = 0;
        int tokens = 0;
        foreach (string prompt in Prompts)
        {
            GenerationOptions options = new() { MaxTokens = Tokens, Sampling = new SamplingOptions { Temperature = temperature, Seed = seed } };
            await foreach (GeneratedText piece in engine.Submit(prompt, options).ReadAsync())
            {
                if (piece.Statistics is not { } statistics) continue;
                tokens += statistics.DecodeSteps;
                seconds += statistics.DecodeTime.TotalSeconds;
            }
        }

        return (tokens / seconds, engine.Statistics);
    }
}
