using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;
using Quern.TestKit;

namespace Quern.Engine.Tests;

/// <summary>These tests count the bytes that the whole process allocates, so nothing runs beside them.</summary>
[CollectionDefinition(nameof(RunsAlone), DisableParallelization = true)]
public sealed class RunsAlone;

[Collection(nameof(RunsAlone))]
public sealed class DecodeAllocationTests : IDisposable
{
    private const int WarmUp = 12;
    private const int Steps = 20;
    private readonly TinyModel _file = new();

    public void Dispose() => _file.Dispose();

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    public void A_decode_step_allocates_no_managed_memory_on_any_thread(int threads, bool exact) => ADecodeStep(_file.Path, threads, exact);

    [SharedTheory]
    [InlineData("mamba")]
    [InlineData("rwkv6")]
    public void Nor_does_one_of_a_recurrent_model(string name) => ADecodeStep(SharedData.Path("golden", name, "model.gguf"), 2, exact: false);

    private static void ADecodeStep(string path, int threads, bool exact)
    {
        SamplingOptions sampling = new() { Seed = 3, RepeatPenalty = 1.1f, DryMultiplier = 0.5f };
        using QuernModel model = QuernModel.Load(path, new ModelOptions { Threads = threads, Exact = exact });
        using Session session = model.CreateSession();
        // The runtime allocates a little now and then by itself; a step that allocates would do so in every round.
        long least = long.MaxValue;
        for (int round = 0; round < 30 && least > 0; round++)
        {
            session.Truncate(0);
            Generation generation = session.Start("once", new GenerationOptions { Sampling = sampling, IgnoreEos = true });
            for (int i = 0; i < WarmUp; i++) generation.Step();
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < Steps; i++) generation.Step();
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
            Assert.Null(generation.Finish);
        }

        Assert.Equal(0, least);
    }

    [Theory]
    [InlineData("nobody")]
    [InlineData("a model")]
    [InlineData("a model, trees")]
    [InlineData("the text, trees")]
    [InlineData("the text")]
    [InlineData("finished texts")]
    public async Task A_step_of_the_engine_allocates_no_managed_memory_on_any_thread(string proposes)
    {
        using QuernModel model = QuernModel.Load(_file.Path, new ModelOptions { Threads = 2, ContextLength = 4000, CacheTokens = 6 * 4000 });
        long least = long.MaxValue;
        for (int round = 0; round < 5 && least > 0; round++)
        {
            using QuernModel? draft = proposes.StartsWith("a model", StringComparison.Ordinal) ? model.LoadBeside(_file.Path, model.Options) : null;
            SpeculationOptions? speculation = proposes == "nobody" ? null : new SpeculationOptions { Draft = draft, MaxTokens = 3, RememberedTokens = proposes == "finished texts" ? 1000 : 0, Branches = proposes.EndsWith("trees", StringComparison.Ordinal) ? 3 : 1, Adaptive = !proposes.EndsWith("trees", StringComparison.Ordinal) };
            await using InferenceEngine engine = new(model, new EngineOptions { Speculation = speculation });
            // Nobody reads: what is allocated is the engine's. Fewer texts where a step is slow, see below.
            for (int i = 0; i < (Isa.Tier == IsaTier.Scalar ? 2 : 6); i++)
                engine.Submit([5, 6, 5, 6, 7 + i, 5, 6], new GenerationOptions { IgnoreEos = true, Sampling = new SamplingOptions { Seed = 3, RepeatPenalty = 1.1f } });
            SpinUntil(engine, steps: 20);
            // Short looks: without vector instructions a step takes so long that something else of the runtime falls into a long one.
            for (int look = 0; look < 40 && least > 0; look++)
            {
                // From within a step to the end of the next one.
                long before = GC.GetTotalAllocatedBytes(precise: true);
                SpinUntil(engine, steps: (int)engine.Statistics.Steps + 2);
                least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
            }

            Assert.True(engine.Statistics.Running > 0);
            Assert.Equal(proposes != "nobody", engine.Statistics.ProposedTokens > 0);
        }

        Assert.Equal(0, least);
    }

    [SharedTheory]
    [InlineData("mamba", false)]
    [InlineData("mamba", true)]
    [InlineData("rwkv6", true)]
    public async Task Nor_does_one_with_a_recurrent_model(string name, bool proposes)
    {
        string path = SharedData.Path("golden", name, "model.gguf");
        using QuernModel model = QuernModel.Load(path, new ModelOptions { Threads = 2, ContextLength = 4000, CacheTokens = 6 * 4000 });
        EngineOptions options = new() { Speculation = new SpeculationOptions { MaxTokens = 3, Adaptive = false } };
        await using InferenceEngine engine = new(model, options, proposes ? new NonsenseDrafter() : null);
        // Nobody reads.
        for (int i = 0; i < 6; i++) engine.Submit([5, 6, 7 + i], new GenerationOptions { IgnoreEos = true, Sampling = new SamplingOptions { Seed = 3, Temperature = 2 } });
        SpinUntil(engine, steps: 40);
        long least = long.MaxValue;
        for (int look = 0; look < 100 && least > 0; look++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            SpinUntil(engine, steps: (int)engine.Statistics.Steps + 3);
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        EngineStatistics statistics = engine.Statistics;
        Assert.Equal((0, proposes), (least, statistics.AcceptedTokens < statistics.ProposedTokens));
        Assert.True(statistics.Running > 0);
    }

    private static void SpinUntil(InferenceEngine engine, int steps)
    {
        while (engine.Statistics.Steps < steps) Thread.Yield();
    }
}
