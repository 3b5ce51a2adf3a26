using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.Models.Parts;
using Quern.TestKit.Oracle;

namespace Quern.Models.Tests;

/// <summary>Models that read a text and write another one: small random ones of every such architecture.</summary>
public sealed class EncoderDecoderTests : IDisposable
{
    private const float Tolerance = 1e-4f;
    private readonly ThreadTeam _team = new(2);

    public static IEnumerable<object[]> Architectures => TinyTraits.Names(ModelTask.EncoderDecoder).Select(name => new object[] { name });

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ExactModeIsTheOracleWhateverTheChunks(string architecture)
    {
        TinyModel tiny = new(architecture);
        int[] text = ForwardTests.Tokens(170, 3), tokens = ForwardTests.Tokens(45);
        using LoadedModel oracle = new(tiny.Open(), new OracleBackend(), TinyModel.Context);
        using LoadedModel exact = Load(tiny);
        float[] expected = Answer(oracle, text, tokens);
        exact.Read(text);
        foreach ((int first, int step) in new[] { (45, 1), (1, 1), (13, 7) })
            Close.AssertAll(expected, exact.Write(text.Length, tokens, first, step), TinyModel.Vocabulary, Tolerance);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void TheLogitsAskedForAreAmongAll(string architecture)
    {
        using LoadedModel model = Load(new TinyModel(architecture));
        int[] text = ForwardTests.Tokens(30, 3), tokens = ForwardTests.Tokens(20);
        float[] all = Answer(model, text, tokens);
        Batch batch = new(40, 2);
        model.Read(text, 1);
        batch.Add(tokens, text.Length, model.Pages(1), BatchOutputs.Last, prefix: text.Length);
        model.Read(text, 2);
        batch.Add(tokens.AsSpan(0, 10), text.Length, model.Pages(2), BatchOutputs.None, prefix: text.Length);
        Close.AssertAll(all.AsSpan(^TinyModel.Vocabulary..), model.Forward(batch), TinyModel.Vocabulary, Tolerance);
        batch.Clear();
        batch.Add(tokens.AsSpan(10), text.Length + 10, model.Pages(2), BatchOutputs.Last, prefix: text.Length);
        Close.AssertAll(all.AsSpan(^TinyModel.Vocabulary..), model.Forward(batch), TinyModel.Vocabulary, Tolerance);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void EveryTensorCounts(string architecture)
    {
        TinyModel tiny = new(architecture);
        int[] text = ForwardTests.Tokens(20, 3), tokens = ForwardTests.Tokens(12);
        float[] before = Oracle(tiny, text, tokens);
        foreach ((string name, (long[] _, float[] values)) in tiny.Tensors)
        {
            for (int i = 0; i < values.Length; i++) values[i] *= 1.5f + (i % 2);
            Assert.True(before.Zip(Oracle(tiny, text, tokens), (a, b) => Math.Abs(a - b)).Max() > 1e-3, $"{name} does not change the logits");
            for (int i = 0; i < values.Length; i++) values[i] /= 1.5f + (i % 2);
        }
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void VectorsAreTheEncoders(string architecture)
    {
        TinyModel tiny = new(architecture);
        int[] text = ForwardTests.Tokens(70, 3);
        using LoadedModel oracle = new(tiny.Open(), new OracleBackend(), TinyModel.Context);
        using LoadedModel exact = Load(tiny);
        float[] vectors = exact.EmbedWhole(text);
        Close.AssertAll(oracle.EmbedWhole(text), vectors, TinyModel.Width, Tolerance);
        text[^1] ^= 1;
        Assert.NotEqual(vectors[..TinyModel.Width], exact.EmbedWhole(text)[..TinyModel.Width]);
    }

    [Fact]
    public void ADecoderMayHaveAnotherNumberOfLayers()
    {
        TinyModel tiny = new("t5");
        tiny.Set("decoder_block_count", 2u);
        foreach (string name in tiny.Tensors.Keys.Where(name => name.StartsWith("dec.blk.2.", StringComparison.Ordinal)).ToArray()) tiny.Tensors.Remove(name);
        using LoadedModel exact = Load(tiny);
        Assert.Equal(3, exact.Model.KvLayers.Count);
        int[] text = ForwardTests.Tokens(20, 3), tokens = ForwardTests.Tokens(12);
        Close.AssertAll(Oracle(tiny, text, tokens), Answer(exact, text, tokens), TinyModel.Vocabulary, Tolerance);
    }

    // As the reference code of the paper has them, for 32 ranges.
    [Theory]
    [InlineData(true, 0, 0)]
    [InlineData(true, -1, 1)]
    [InlineData(true, 1, 17)]
    [InlineData(true, -7, 7)]
    [InlineData(true, -8, 8)]
    [InlineData(true, -11, 8)]
    [InlineData(true, -12, 9)]
    [InlineData(true, 16, 26)]
    [InlineData(true, -127, 15)]
    [InlineData(true, -500, 15)]
    [InlineData(true, 500, 31)]
    [InlineData(false, 3, 0)]
    [InlineData(false, 0, 0)]
    [InlineData(false, -15, 15)]
    [InlineData(false, -16, 16)]
    [InlineData(false, -32, 21)]
    [InlineData(false, -127, 31)]
    [InlineData(false, -4000, 31)]
    public void DistancesFallIntoRanges(bool bothSides, int distance, int expected) => Assert.Equal(expected, RelativeBias.Bucket(distance, 32, bothSides));

    [Fact]
    public void WhatIsWrittenNeedsATextThatWasRead()
    {
        using LoadedModel model = Load(new TinyModel("t5"));
        Assert.Contains("expected a text that was read", Assert.Throws<ArgumentException>(() => model.Evaluate([1, 2])).Message, StringComparison.Ordinal);
        Batch batch = new(4);
        batch.Add([1, 2], 0, model.Pages(0), prefix: 1);
        Assert.Contains("expected a whole text", Assert.Throws<ArgumentException>(() => model.Model.Encode(batch, model.Cache, model.Backend)).Message, StringComparison.Ordinal);
        using LoadedModel decoder = Load(new TinyModel("llama"));
        Assert.Contains("llama is no encoder", Assert.Throws<NotSupportedException>(() => decoder.Read([1, 2])).Message, StringComparison.Ordinal);
        Assert.Contains("prefix of 1", Assert.Throws<ArgumentException>(() => decoder.Forward(batch)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("decoder_start_token_id", null, "'t5.decoder_start_token_id': the file does not have it")]
    [InlineData("decoder_start_token_id", 64u, "'t5.decoder_start_token_id': it holds 64; expected a token below 64")]
    [InlineData("attention.relative_buckets_count", 6u, "'t5.attention.relative_buckets_count': it holds 6; expected a multiple of 4")]
    [InlineData("attention.relative_buckets_count", null, "'t5.attention.relative_buckets_count': it holds 0; expected a multiple of 4")]
    public void AValueOutOfRangeIsNamed(string key, object? value, string message)
    {
        TinyModel tiny = new("t5");
        if (value is null) tiny.Metadata.Remove($"t5.{key}");
        else tiny.Set(key, value);
        using GgufFile file = tiny.Open();
        using OracleBackend backend = new();
        Assert.Contains(message, Assert.Throws<ModelFormatException>(() => ArchitectureTable.Load(file, backend, TinyModel.Context)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => _team.Dispose();

    private LoadedModel Load(TinyModel tiny) => new(tiny.Open(), new CpuBackend(_team, ComputeMode.Exact), TinyModel.Context);

    private static float[] Answer(LoadedModel model, int[] text, int[] tokens)
    {
        model.Read(text);
        return model.Write(text.Length, tokens, tokens.Length, 1);
    }

    private static float[] Oracle(TinyModel tiny, int[] text, int[] tokens)
    {
        using LoadedModel oracle = new(tiny.Open(), new OracleBackend(), TinyModel.Context);
        return Answer(oracle, text, tokens);
    }
}
