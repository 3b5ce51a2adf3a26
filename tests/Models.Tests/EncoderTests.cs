using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.TestKit.Oracle;

namespace Quern.Models.Tests;

/// <summary>Models that read texts as a whole: small random ones of every such architecture.</summary>
public sealed class EncoderTests : IDisposable
{
    private const float Tolerance = 1e-4f;
    private readonly ThreadTeam _team = new(2);

    public static IEnumerable<object[]> Architectures => TinyTraits.Names(ModelTask.Encoder).Select(name => new object[] { name });

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ExactModeIsTheOracle(string architecture)
    {
        TinyModel tiny = new(architecture);
        int[] tokens = ForwardTests.Tokens(75);
        using LoadedModel oracle = new(tiny.Open(), new OracleBackend(), TinyModel.Context);
        using LoadedModel exact = Load(tiny);
        Close.AssertAll(oracle.EmbedWhole(tokens), exact.EmbedWhole(tokens), TinyModel.Width, Tolerance);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ManyTextsInOneBatchAreManyBatchesOfOne(string architecture)
    {
        using LoadedModel model = Load(new TinyModel(architecture));
        int[][] texts = [ForwardTests.Tokens(1, 1), ForwardTests.Tokens(70, 2), ForwardTests.Tokens(33, 3)];
        Batch batch = new(104, 3);
        for (int i = 0; i < 3; i++) batch.Add(texts[i], 0, model.Pages(i), BatchOutputs.All, prefix: texts[i].Length);
        float[] together = model.Embed(batch);
        Close.AssertAll([.. texts.SelectMany(text => model.EmbedWhole(text))], together, TinyModel.Width, Tolerance);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void EveryTokenSeesTheLast(string architecture)
    {
        using LoadedModel model = Load(new TinyModel(architecture));
        int[] tokens = ForwardTests.Tokens(40);
        float[] before = model.EmbedWhole(tokens);
        tokens[^1] ^= 1;
        float[] after = model.EmbedWhole(tokens);
        for (int row = 0; row < tokens.Length; row++)
            Assert.NotEqual(before[(row * TinyModel.Width)..((row + 1) * TinyModel.Width)], after[(row * TinyModel.Width)..((row + 1) * TinyModel.Width)]);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void EveryTensorCounts(string architecture)
    {
        TinyModel tiny = new(architecture);
        int[] tokens = ForwardTests.Tokens(20);
        float[] before = Oracle(tiny, tokens);
        foreach ((string name, (long[] _, float[] values)) in tiny.Tensors)
        {
            // Without rotation a bias of keys adds the same to all scores of a query.
            if (name.EndsWith("attn_k.bias", StringComparison.Ordinal)) continue;
            for (int i = 0; i < values.Length; i++) values[i] *= 1.5f + (i % 2);
            Assert.True(before.Zip(Oracle(tiny, tokens), (a, b) => Math.Abs(a - b)).Max() > 1e-3, $"{name} does not change the vectors");
            for (int i = 0; i < values.Length; i++) values[i] /= 1.5f + (i % 2);
        }
    }

    [Theory]
    [InlineData("bert", true)]
    [InlineData("bert", false)]
    [InlineData("jina-bert-v2", true)]
    public void AClassifierIsItsFormula(string architecture, bool hasInner)
    {
        const int Labels = 3;
        TinyModel tiny = new(architecture);
        if (hasInner)
        {
            tiny.Matrix("cls.weight", TinyModel.Width, TinyModel.Width);
            tiny.Bias("cls.bias", TinyModel.Width);
        }

        tiny.Matrix("cls.output.weight", Labels, TinyModel.Width);
        tiny.Bias("cls.output.bias", Labels);
        using LoadedModel model = Load(tiny);
        Assert.Equal(Labels, model.Model.LabelCount);
        int[] tokens = ForwardTests.Tokens(37);
        Batch batch = new(74, 2);
        for (int i = 0; i < 2; i++) batch.Add(tokens, 0, model.Pages(i), BatchOutputs.First, prefix: tokens.Length);
        using TensorBuffer y = model.Backend.Allocate(2, Labels);
        model.Model.Rank(batch, model.Cache, model.Backend, y.Tensor);

        float[] x = model.EmbedWhole(tokens)[..TinyModel.Width];
        if (hasInner) x = [.. Product(tiny, "cls.weight", "cls.bias", x).Select(MathF.Tanh)];
        float[] expected = Product(tiny, "cls.output.weight", "cls.output.bias", x);
        Close.AssertAll([.. expected, .. expected], y.Tensor.AsSpan(), Labels, Tolerance);
    }

    [Fact]
    public void TextsAreTakenWholeOnly()
    {
        using LoadedModel model = Load(new TinyModel("bert"));
        Batch batch = new(8);
        batch.Add([1, 2], 0, model.Pages(0), BatchOutputs.All);
        Assert.Contains("expected a whole text", Assert.Throws<ArgumentException>(() => model.Embed(batch)).Message, StringComparison.Ordinal);
        batch.Clear();
        batch.Add([1, 2], 2, model.Pages(0), BatchOutputs.All, prefix: 4);
        Assert.Contains("from slot 2", Assert.Throws<ArgumentException>(() => model.Embed(batch)).Message, StringComparison.Ordinal);
        Assert.Contains("token 64", Assert.Throws<ArgumentException>(() => model.EmbedWhole([64])).Message, StringComparison.Ordinal);
        Assert.Contains("bert is an encoder", Assert.Throws<NotSupportedException>(() => model.Forward(batch)).Message, StringComparison.Ordinal);
        Assert.Contains("no classifier", Assert.Throws<NotSupportedException>(() => model.Model.Rank(batch, model.Cache, model.Backend, default)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ADecoderWhoseFileSaysSoReadsTextsAsAWhole()
    {
        TinyModel tiny = new("llama");
        tiny.Set("attention.causal", false);
        int[] tokens = ForwardTests.Tokens(40);
        using LoadedModel oracle = new(tiny.Open(), new OracleBackend(), TinyModel.Context);
        using LoadedModel model = Load(tiny);
        using LoadedModel causal = Load(new TinyModel("llama"));
        Assert.Equal((ModelTask.Encoder, ModelTask.Decoder), (model.Model.Task, causal.Model.Task));
        float[] whole = model.EmbedWhole(tokens);
        Close.AssertAll(oracle.EmbedWhole(tokens), whole, TinyModel.Width, Tolerance);
        Batch batch = new(40);
        batch.Add(tokens, 0, causal.Pages(0), BatchOutputs.All);
        Assert.True(whole.Zip(causal.Embed(batch), (a, b) => Math.Abs(a - b)).Max() > 1e-2);
        batch.Clear();
        batch.Add(tokens, 0, model.Pages(0), prefix: tokens.Length);
        Assert.Contains("attention.causal", Assert.Throws<NotSupportedException>(() => model.Forward(batch)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bert", "attention.causal", true, "'bert.attention.causal': it holds true; expected false")]
    [InlineData("bert", "pooling_type", 5u, "'bert.pooling_type': it holds 5; expected 0 to 4")]
    [InlineData("nomic-bert", "expert_count", 4u, "'nomic-bert.expert_count': encoders with experts are not supported")]
    [InlineData("gemma2", "attention.causal", false, "'gemma2.attention.causal': it holds false; layers with a window")]
    public void AValueOutOfRangeIsNamed(string architecture, string key, object value, string message)
    {
        TinyModel tiny = new(architecture);
        tiny.Set(key, value);
        if (key == "expert_count") tiny.Set("expert_used_count", 2u);
        using GgufFile file = tiny.Open();
        using OracleBackend backend = new();
        Assert.Contains(message, Assert.Throws<ModelFormatException>(() => ArchitectureTable.Load(file, backend, TinyModel.Context)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => _team.Dispose();

    private LoadedModel Load(TinyModel tiny) => new(tiny.Open(), new CpuBackend(_team, ComputeMode.Exact), TinyModel.Context);

    private static float[] Oracle(TinyModel tiny, int[] tokens)
    {
        using LoadedModel oracle = new(tiny.Open(), new OracleBackend(), TinyModel.Context);
        return oracle.EmbedWhole(tokens);
    }

    private static float[] Product(TinyModel tiny, string weights, string bias, float[] x)
    {
        float[] w = tiny.Tensors[weights].Values, b = tiny.Tensors[bias].Values;
        return [.. b.Select((added, row) => added + x.Select((value, i) => value * w[(row * x.Length) + i]).Sum())];
    }
}
