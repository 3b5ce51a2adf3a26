using Quern.Engine.Sampling;
using Quern.Engine.Tests.Sampling;
using Quern.Kernels.Cpu;

namespace Quern.Engine.Tests.Scheduling;

/// <summary>
/// Texts of four tokens that an engine with a draft model samples, against their exact chances: the product of what passes of the target alone and the sampler chain say. Three tokens are left at every place, so that there
/// are 81 texts. Whole: pages, batches, several texts of a prompt, drafts, verification, histories.
/// </summary>
public sealed class SpeculationDistributionTests : IDisposable
{
    private const int Length = 4, Left = 3, SamplesOfRequest = 8;
    private static readonly int[] Prompt = [4, 9, 4, 9, 30];

    private readonly TinyModel _file = new();
    private readonly TinyModel _similar = new(noise: 0.3f);

    public void Dispose()
    {
        _file.Dispose();
        _similar.Dispose();
    }

    public static TheoryData<string> Chains => [.. Options.Keys];

    private static Dictionary<string, SamplingOptions> Options { get; } = new()
    {
        ["top-k"] = new() { Temperature = 2, TopK = Left, TopP = 1, MinP = 0 },
        ["penalties"] = new() { Temperature = 2.5f, TopK = Left, TopP = 1, MinP = 0, RepeatPenalty = 1.4f, PresencePenalty = 0.3f },
        ["dry, min-p, top-p"] = new() { Temperature = 2, TopK = Left, TopP = 0.97f, MinP = 0.05f, DryMultiplier = 0.8f, DryAllowedLength = 1, DrySequenceBreakers = [] },
    };

    [Theory]
    [MemberData(nameof(Chains))]
    public Task Texts_that_were_speculated_have_the_chances_of_the_target_alone(string chain) => Compare(chain, branches: 1);

    [Theory]
    [MemberData(nameof(Chains))]
    public Task And_so_have_those_of_trees(string chain) => Compare(chain, branches: 2);

    private async Task Compare(string chain, int branches)
    {
        SamplingOptions sampling = Options[chain];
        using QuernModel target = Load(_file), draft = Load(_similar);
        Dictionary<(int, int, int, int), double> chances = Exact(target, sampling);
        (int, int, int, int)[] texts = [.. chances.Keys.Order()];
        Dictionary<(int, int, int, int), int> places = texts.Select((text, i) => (text, i)).ToDictionary(pair => pair.text, pair => pair.i);
        int[] seen = new int[texts.Length];
        await using InferenceEngine engine = new(
            target, new EngineOptions { MaxSequences = 3 * SamplesOfRequest, QueueCapacity = 64, Speculation = new SpeculationOptions { Draft = draft, MaxTokens = 3, Branches = branches, Adaptive = false } });
        int requests = GoodnessOfFit.Draws(Isa.Tier == IsaTier.Scalar ? 2_000 : 8_000) / SamplesOfRequest;
        await Parallel.ForEachAsync(Enumerable.Range(0, requests), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (request, cancellation) =>
        {
            GenerationOptions options = new() { MaxTokens = Length, IgnoreEos = true, Sampling = sampling with { Seed = (ulong)request * SamplesOfRequest } };
            EngineRequest submitted = engine.Submit(Prompt, options, SamplesOfRequest, cancellation: cancellation);
            for (int sample = 0; sample < SamplesOfRequest; sample++)
            {
                List<int> tokens = [];
                await foreach (GeneratedText piece in submitted.ReadAsync(sample).WithCancellation(cancellation))
                    if (piece.Token != Generation.None) tokens.Add(piece.Token);
                Assert.True(places.TryGetValue((tokens[0], tokens[1], tokens[2], tokens[3]), out int place), $"a text that cannot be: {string.Join(' ', tokens)}");
                Interlocked.Increment(ref seen[place]);
            }
        });

        // Both happen often: else this would test nothing.
        Assert.InRange(engine.Statistics.AcceptedTokens, requests, engine.Statistics.ProposedTokens - requests);
        new GoodnessOfFit([.. texts.Select(text => chances[text])], seen).AssertFits();
    }

    private static QuernModel Load(TinyModel file) => QuernModel.Load(file.Path, new ModelOptions { Exact = true, Threads = 1, CacheTokens = 4096 });

    private static Dictionary<(int, int, int, int), double> Exact(QuernModel model, SamplingOptions sampling)
    {
        Dictionary<(int, int, int, int), double> chances = [];
        using Session session = model.CreateSession();
        Extend([], 1);
        return chances;

        void Extend(int[] tokens, double chance)
        {
            if (tokens.Length == Length)
            {
                chances.Add((tokens[0], tokens[1], tokens[2], tokens[3]), chance);
                return;
            }

            session.Truncate(0);
            float[] logits = session.Evaluate([.. Prompt, .. tokens]).ToArray();
            foreach (int excluded in TokenChooser.Excluded(model, ignoreEos: true)) logits[excluded] = float.NegativeInfinity;
            SamplerChain chain = model.CreateSampler(sampling);
            foreach (int token in (int[])[.. Prompt, .. tokens]) chain.Accept(token);
            foreach (Candidate candidate in chain.Distribution(logits).ToArray()) Extend([.. tokens, candidate.Token], chance * candidate.Probability);
        }
    }
}
