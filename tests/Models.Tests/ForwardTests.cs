using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Models.Tests.Golden;
using Quern.TestKit.Oracle;

namespace Quern.Models.Tests;

/// <summary>Small random models of every architecture, made by the test: the product against the oracles.</summary>
public sealed class ForwardTests : IDisposable
{
    private const float Tolerance = 1e-4f;

    /// <summary>What activations in signed bytes may cost a narrow model, in deviations of its logits; measured: below 0.04 dense, 0.043 with experts.</summary>
    private const double FastTolerance = 0.06;

    private readonly ThreadTeam _team = new(2);

    public static IEnumerable<object[]> Architectures => TinyTraits.Names(ModelTask.Decoder).Select(name => new object[] { name });

    /// <summary>Formats whose blocks fit the rows of a small model, in a dense model and one with experts.</summary>
    public static IEnumerable<object[]> SmallFormats =>
        from format in FormatTable.All
        where format.Info.BlockLength <= TinyModel.Width
        from architecture in new[] { "llama", "qwen3moe" }
        select new object[] { format.Info.Name, architecture };

    [Fact]
    public void LlamaIsItsFormulas()
    {
        TinyModel tiny = new("llama");
        tiny.Matrix("output.weight", TinyModel.Vocabulary, TinyModel.Width);
        int[] tokens = Tokens(40);
        float[] expected = new StraightLlama(tiny).Logits(tokens);
        using (LoadedModel oracle = new(tiny.Open(), new OracleBackend(), TinyModel.Context))
            Close.AssertAll(expected, oracle.Evaluate(tokens), TinyModel.Vocabulary, Tolerance);
        using (LoadedModel exact = new(tiny.Open(), new CpuBackend(_team, ComputeMode.Exact), TinyModel.Context))
            Close.AssertAll(expected, exact.Evaluate(tokens), TinyModel.Vocabulary, Tolerance);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ExactModeIsTheOracle(string architecture)
    {
        TinyModel tiny = new(architecture);
        int[] tokens = Tokens(45);
        using LoadedModel oracle = new(tiny.Open(), new OracleBackend(), TinyModel.Context);
        using LoadedModel exact = new(tiny.Open(), new CpuBackend(_team, ComputeMode.Exact), TinyModel.Context);
        Close.AssertAll(oracle.Evaluate(tokens), exact.Evaluate(tokens), TinyModel.Vocabulary, Tolerance);
    }

    [Theory]
    [MemberData(nameof(SmallFormats))]
    public void FastModeIsNearTheOracle(string format, string architecture)
    {
        TinyModel tiny = new TinyModel(architecture).Quantise(FormatTable.Find(format)!);
        int[] tokens = Tokens(45);
        float[] expected = Evaluate(tiny, tokens);
        double deviation = Math.Sqrt(expected.Average(logit => (double)logit * logit));
        using LoadedModel fast = new(tiny.Open(), new CpuBackend(_team), TinyModel.Context, KvType.F16);
        foreach (int step in new[] { 1, 7, tokens.Length })
        {
            // The middle row: where a router's two best are close, another expert may be chosen, and the row is another one.
            float[] found = fast.Evaluate(tokens, step, step);
            double[] rows = [.. expected.Chunk(TinyModel.Vocabulary).Zip(found.Chunk(TinyModel.Vocabulary), (a, b) => GoldenModel.Rms(a, b)).Order()];
            double middle = rows[rows.Length / 2];
            Assert.True(middle <= FastTolerance * deviation, $"{step} tokens at a time: {middle:g3} from logits with a deviation of {deviation:g3}");
        }
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void EveryTensorCounts(string architecture)
    {
        TinyModel tiny = new(architecture);
        int[] tokens = Tokens(20);
        float[] before = Evaluate(tiny, tokens);
        foreach ((string name, (long[] _, float[] values)) in tiny.Tensors)
        {
            for (int i = 0; i < values.Length; i++) values[i] *= 1.5f + (i % 2);
            Assert.True(before.Zip(Evaluate(tiny, tokens), (a, b) => Math.Abs(a - b)).Max() > 1e-3, $"{name} does not change the logits");
            for (int i = 0; i < values.Length; i++) values[i] /= 1.5f + (i % 2);
        }
    }

    [Fact]
    public void HeadsOfKeysAndValuesMayDifferFromLayerToLayer()
    {
        TinyModel tiny = new("llama");
        tiny.Set("attention.head_count_kv", new[] { 4, 1, 2 });
        tiny.Matrix("blk.0.attn_k.weight", 32, TinyModel.Width);
        tiny.Matrix("blk.0.attn_v.weight", 32, TinyModel.Width);
        tiny.Matrix("blk.1.attn_k.weight", 8, TinyModel.Width);
        tiny.Matrix("blk.1.attn_v.weight", 8, TinyModel.Width);
        int[] tokens = Tokens(45);
        using LoadedModel exact = new(tiny.Open(), new CpuBackend(_team, ComputeMode.Exact), TinyModel.Context);
        Assert.Equal([4, 1, 2], exact.Model.KvLayers.Select(layer => layer.Heads));
        Close.AssertAll(Evaluate(tiny, tokens), exact.Evaluate(tokens), TinyModel.Vocabulary, Tolerance);
    }

    [Fact]
    public void TokensAndLogitsAreChecked()
    {
        using LoadedModel model = new(new TinyModel("llama").Open(), new OracleBackend(), TinyModel.Context);
        Assert.Contains("token 64 is not in the vocabulary of 64", Assert.Throws<ArgumentException>(() => model.Evaluate([1, 64])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => model.Evaluate([-1]));
        Batch batch = new(4);
        Assert.Throws<ArgumentException>(() => model.Forward(batch));
        batch.Add([1, 2], 0, model.Pages(0), BatchOutputs.All);
        using TensorBuffer narrow = model.Backend.Allocate(2, 63);
        Assert.Throws<ArgumentException>(() => model.Model.Forward(batch, model.Cache, model.Backend, narrow.Tensor));
    }

    public void Dispose() => _team.Dispose();

    internal static int[] Tokens(int count, int seed = 7)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(TinyModel.Vocabulary))];
    }

    private static float[] Evaluate(TinyModel tiny, int[] tokens)
    {
        using LoadedModel oracle = new(tiny.Open(), new OracleBackend(), TinyModel.Context);
        return oracle.Evaluate(tokens);
    }
}
