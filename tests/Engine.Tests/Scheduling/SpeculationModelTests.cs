using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;
using Quern.TestKit;

namespace Quern.Engine.Tests.Scheduling;

/// <summary>Greedy texts of the golden models and of the pair that ships are the same with speculation: whoever proposes, chains and trees, however many tokens, beside whatever else, in every type of cache.</summary>
public sealed class SpeculationModelTests
{
    private const int Texts = 4, Tokens = 40;

    private static readonly string[] All =
        ["llama", "gemma3", "mamba", "llama-moe", "llama-yarn", "gemma2", "phi3-swa", "gpt-oss", "bloom", "mpt", "gpt2", "gptneox", "chatglm", "falcon", "qwen3", "command-r", "cohere2", "deepseek2-mla", "minicpm3", "rwkv6"];

    // Without vectors these take minutes, and the first few do. And without kernels over interleaved rows, products of twelve tokens and more are computed in another way than those of fewer, unless
    // they are exact: two logits that are nearly equal may change places.
    private static bool IsScalar => Isa.Tier == IsaTier.Scalar;

    /// <summary>Families that differ in what attention and positions do.</summary>
    public static TheoryData<string> Models => [.. All.Take(IsScalar ? 3 : All.Length)];

    public static TheoryData<KvType> Types => IsScalar ? [KvType.Q8_0] : [.. Enum.GetValues<KvType>()];

    [SharedTheory]
    [MemberData(nameof(Models))]
    public async Task Texts_of_golden_models_stay_the_same(string model)
    {
        string path = SharedData.Path("golden", model, "model.gguf");
        await Compare(path, path, KvType.F32, seed: 1, exact: true);
        if (!IsScalar) await Compare(path, path, KvType.F16, seed: 2, exact: false);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public async Task Texts_of_the_pair_that_ships_stay_the_same(KvType type)
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Runtime.sln"))) folder = Path.GetDirectoryName(folder)!;
        folder = Path.Combine(folder, "src", "Cli", "Models");
        for (int seed = IsScalar ? 2 : 0; seed < 3; seed++) await Compare(Path.Combine(folder, "quern-4m-q8_0.gguf"), Path.Combine(folder, "quern-0.4m-draft-q8_0.gguf"), type, seed, exact: seed > 0);
    }

    private static async Task Compare(string path, string draftPath, KvType type, int seed, bool exact)
    {
        Random random = new(seed);
        ModelOptions options = new() { Exact = exact, Threads = 1, KvType = type, CacheTokens = 2048, ContextLength = 128 };
        using QuernModel target = QuernModel.Load(path, options), draft = target.LoadBeside(draftPath, options with { KvType = type == KvType.F32 ? KvType.BF16 : KvType.F32 });
        int[][] prompts = [.. Enumerable.Range(0, Texts).Select(_ => Enumerable.Range(0, random.Next(1, 50)).Select(i => 3 + (i * 37 % random.Next(2, 100) % (target.VocabularySize - 3))).ToArray())];
        GenerationOptions[] wanted = [.. prompts.Select(_ => new GenerationOptions
        {
            MaxTokens = random.Next(Tokens / 2, Tokens), IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0, RepeatPenalty = random.Next(2) == 0 ? 1.2f : 1 },
        })];
        int[][] expected = [.. prompts.Zip(wanted, (prompt, options) => Plain(target, prompt, options))];
        foreach (int branches in new[] { 1, random.Next(2, 5) })
        {
            for (int kind = 0; kind < 4; kind++)
            {
                int most = random.Next(1, 9), together = random.Next(1, Texts + 1);
                IDrafter drafter = kind switch
                {
                    0 => new ModelDrafter(draft, together, branches),
                    1 => new NgramDrafter(),
                    2 => new SuffixDrafter(remembered: random.Next(60, 400)),
                    _ => new ForestDrafter([.. prompts.Zip(expected, (prompt, text) => (int[])[.. prompt, .. text])], random.Next()),
                };
                EngineOptions engineOptions = new() { MaxSequences = together, Speculation = new SpeculationOptions { MaxTokens = most, Branches = branches, Adaptive = false } };
                await using InferenceEngine engine = new(target, engineOptions, drafter);
                EngineRequest[] requests = [.. prompts.Zip(wanted, (prompt, options) => engine.Submit(prompt, options))];
                for (int i = 0; i < requests.Length; i++)
                {
                    List<int> tokens = [];
                    await foreach (GeneratedText piece in requests[i].ReadAsync())
                        if (piece.Token != Generation.None) tokens.Add(piece.Token);
                    Assert.Equal(expected[i], tokens);
                }

                if (kind is 0 or 3) Assert.True(engine.Statistics.ProposedTokens > 0);
                if (drafter is ForestDrafter forest) Assert.Equal(branches > 1 && target.TakesTrees, forest.Trees > 0);
            }
        }
    }

    private static int[] Plain(QuernModel model, int[] prompt, GenerationOptions options)
    {
        using Session session = model.CreateSession();
        Generation generation = session.Start(prompt, options);
        List<int> tokens = [];
        while (generation.Step() is var token and not Generation.None) tokens.Add(token);
        return [.. tokens];
    }
}
