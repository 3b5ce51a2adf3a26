using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;

namespace Quern.Engine.Tests;

/// <summary>Texts whose tokens are chosen from the largest logits are the texts that all logits give, and it can be seen which way was taken.</summary>
public sealed class SelectedTokensTests : IDisposable
{
    private const int Tokens = 10, BytesOfLargest = (1 + (2 * Backend.MostLargest)) * sizeof(float);
    private readonly TinyModel _file = new();
    private readonly TinyModel _padded = new(padding: 70);

    public void Dispose()
    {
        _file.Dispose();
        _padded.Dispose();
    }

    public static TheoryData<string, bool> Ways => new()
    {
        { "default", true }, { "greedy", true }, { "greedy, padded", true }, { "padded", true }, { "hot", true }, { "with its end", true }, { "likely", true }, { "xtc", true },
        { "likely without its end", false }, { "no top-k", false }, { "too many", false }, { "penalties", false }, { "bias", false },
    };

    private static GenerationOptions Options(string way)
    {
        SamplingOptions sampling = new() { Seed = 8, Temperature = 1.5f };
        GenerationOptions options = new() { MaxTokens = Tokens, IgnoreEos = true, Sampling = sampling };
        return way switch
        {
            "greedy" or "greedy, padded" => options with { Sampling = sampling with { Temperature = 0 } },
            "hot" => options with { Sampling = sampling with { Temperature = 4, TopP = 1, MinP = 0, TopK = 63 } },
            "with its end" => options with { IgnoreEos = false },
            "likely" => options with { IgnoreEos = false, LogProbabilities = 50 },
            "likely without its end" => options with { LogProbabilities = 3 },
            "xtc" => options with { Sampling = sampling with { XtcProbability = 0.6f, XtcThreshold = 0.02f, TypicalP = 0.9f } },
            "no top-k" => options with { Sampling = sampling with { TopK = 0 } },
            "too many" => options with { Sampling = sampling with { TopK = 64 } },
            "penalties" => options with { Sampling = sampling with { RepeatPenalty = 1.2f } },
            "bias" => options with { Sampling = sampling with { LogitBias = new Dictionary<int, float> { [40] = 2 } } },
            _ => options,
        };
    }

    private QuernModel Load(bool isElsewhere, bool isPadded = false) =>
        QuernModel.Load((isPadded ? _padded : _file).Path, new ModelOptions { Threads = 1, Device = new OracleDevice(isElsewhere) });

    [Theory]
    [MemberData(nameof(Ways))]
    public void A_session_writes_the_same(string way, bool isSelected)
    {
        bool isPadded = way.Contains("padded", StringComparison.Ordinal);
        using QuernModel here = Load(false, isPadded), elsewhere = Load(true, isPadded);
        using Session expected = here.CreateSession(), got = elsewhere.CreateSession();
        Generation first = expected.Start([1, 40, 41], Options(way)), second = got.Start([1, 40, 41], Options(way));
        for (int token = 0; token != Generation.None;)
        {
            token = first.Step();
            Assert.Equal(token, second.Step());
            Assert.Equal(first.LogProbabilities.ToArray().Select(likely => likely.Token), second.LogProbabilities.ToArray().Select(likely => likely.Token));
            foreach ((TokenLogProbability a, TokenLogProbability b) in first.LogProbabilities.ToArray().Zip(second.LogProbabilities.ToArray())) Assert.Equal(a.LogProbability, b.LogProbability, 1e-5);
        }

        // What ended the text was chosen too.
        int chosen = first.Statistics.GeneratedTokens + (first.Finish == FinishReason.Eos ? 1 : 0);
        Assert.Equal((0, isSelected ? chosen : 0), (first.Statistics.SelectedTokens, second.Statistics.SelectedTokens));
        Assert.Equal((0, chosen * (isSelected ? BytesOfLargest : elsewhere.VocabularySize * sizeof(float))), (expected.CopiedBytes, got.CopiedBytes));
    }

    [Fact]
    public void Choosing_from_the_largest_allocates_nothing()
    {
        using QuernModel model = Load(false);
        TokenChooser chooser = new(model, Options("likely"), seed: 1);
        float[] row = new float[1 + (2 * chooser.Depth)];
        for (int i = 0; i < chooser.Depth; i++) (row[1 + i], row[1 + chooser.Depth + i]) = (-i, i);
        row[0] = 1.6f;
        TokenLogProbability[] likely = new TokenLogProbability[51];
        long least = long.MaxValue;
        for (int round = 0; round < 20 && least > 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 50; i++) chooser.Choose(new PassLogits(null!, row, row.Length, chooser.Depth), 0, likely);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
        Assert.True(chooser.SelectedTokens >= 50);
    }

    [Theory]
    [InlineData("nobody")]
    [InlineData("nonsense")]
    [InlineData("a model")]
    [InlineData("a model, trees")]
    public async Task An_engine_writes_the_same(string proposes)
    {
        // One of several needs all logits, in steps with others that do not. Chains of a model are drawn with random numbers that all sequences share: there one text is alone.
        string[] ways = proposes == "a model" ? ["default"] : ["default", "greedy", "penalties", "with its end"];
        List<string>[] texts = [[], []];
        for (int side = 0; side < 2; side++)
        {
            using QuernModel model = Load(side == 1), draft = Load(side == 1);
            SpeculationOptions options = new() { Draft = proposes.StartsWith("a model", StringComparison.Ordinal) ? draft : null, MaxTokens = 3, Adaptive = false, Branches = proposes.EndsWith("trees", StringComparison.Ordinal) ? 2 : 1 };
            EngineOptions engineOptions = new() { Speculation = proposes == "nobody" ? null : options };
            await using InferenceEngine engine = proposes == "nonsense" ? new(model, engineOptions, new NonsenseDrafter()) : new(model, engineOptions);
            EngineRequest[] requests = [.. ways.Select(way => engine.Submit([1, 40, 41, 40, 41], Options(way), samples: way == "default" ? ways.Length : 1))];
            foreach (EngineRequest request in requests)
            {
                for (int sample = 0; sample < request.Samples; sample++)
                {
                    List<int> tokens = [];
                    await foreach (GeneratedText piece in request.ReadAsync(sample)) tokens.Add(piece.Token);
                    texts[side].Add(string.Join(' ', tokens));
                }
            }

            // What is written is read before it is counted.
            await engine.DisposeAsync();
            EngineStatistics statistics = engine.Statistics;
            Assert.Equal(side == 0 ? 0 : statistics.GeneratedTokens - (ways.Contains("penalties") ? Tokens : 0), statistics.SelectedTokens);
            Assert.Equal(proposes != "nobody", statistics.ProposedTokens > 0);
        }

        Assert.Equal(texts[0], texts[1]);
    }
}
