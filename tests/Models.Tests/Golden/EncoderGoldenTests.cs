using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.Models.Parts;
using Quern.TestKit;
using Quern.TestKit.Oracle;

namespace Quern.Models.Tests.Golden;

/// <summary>Encoders: the vectors of tokens and texts that an independent engine computed, on the oracle's operations and on the processor's, in exact and in fast mode.</summary>
public sealed class EncoderGoldenTests : IDisposable
{
    private const float ExactTolerance = 2e-4f;

    /// <summary>How much further than the reference engine's own quantised run a fast vector may be from the exact one, root mean square.</summary>
    private const double NativeFactor = 1.25;

    /// <summary>What a cache in binary16 and activations in binary16 may cost where no such run is recorded, in standard deviations of the vector.</summary>
    private const double HalfTolerance = 0.01;

    private readonly ThreadTeam _team = new(2);

    public static IEnumerable<object[]> Names => GoldenModel.Of(ModelTask.Encoder);

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void TheOraclesVectors(string name) => AssertExact(name, new OracleBackend());

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void ExactVectors(string name) => AssertExact(name, new CpuBackend(_team, ComputeMode.Exact));

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void ExactVectorsBesideOtherTexts(string name)
    {
        GoldenModel golden = GoldenModel.Load(name);
        using LoadedModel model = Load(golden, new CpuBackend(_team, ComputeMode.Exact));
        int[] other = [.. golden.Tokens.Reverse()];
        Batch batch = new(golden.Tokens.Length + (2 * other.Length), 3);
        batch.Add(other.AsSpan(3), 0, model.Pages(1), BatchOutputs.First, prefix: other.Length - 3);
        batch.Add(golden.Tokens, 0, model.Pages(0), BatchOutputs.All, prefix: golden.Tokens.Length);
        batch.Add(other, 0, model.Pages(2), BatchOutputs.Last, prefix: other.Length);
        int width = model.Model.Config.Width;
        float[] vectors = model.Embed(batch);
        Close.AssertAll(golden.Logits, Pool(model, vectors.AsSpan(width, golden.Tokens.Length * width)), width, ExactTolerance);
        Close.AssertAll(model.EmbedWhole(other.AsSpan(3)).AsSpan(0, width), vectors.AsSpan(0, width), width, ExactTolerance);
        Close.AssertAll(model.EmbedWhole(other).AsSpan(^width..), vectors.AsSpan(^width..), width, ExactTolerance);
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void FastVectors(string name)
    {
        GoldenModel golden = GoldenModel.Load(name);
        using LoadedModel model = Load(golden, new CpuBackend(_team), KvType.F16);
        double rms = GoldenModel.Rms(golden.Logits, Pool(model, model.EmbedWhole(golden.Tokens)));
        double limit = golden.NativeRms is { } native ? NativeFactor * native : HalfTolerance * golden.Deviation;
        Assert.True(rms <= limit, $"{rms:g4} from the exact vector; at most {limit:g4} was expected");
    }

    public void Dispose() => _team.Dispose();

    private static void AssertExact(string name, Backend backend)
    {
        GoldenModel golden = GoldenModel.Load(name);
        using LoadedModel model = Load(golden, backend);
        float[] vectors = model.EmbedWhole(golden.Tokens);
        int width = model.Model.Config.Width;
        if (golden.TokenVectors.Length > 0) Close.AssertAll(golden.TokenVectors, vectors, width, ExactTolerance);
        Close.AssertAll(golden.Logits, Pool(model, vectors), width, ExactTolerance);
    }

    // As the file says, without normalisation.
    private static float[] Pool(LoadedModel model, ReadOnlySpan<float> vectors)
    {
        int width = model.Model.Config.Width;
        Pooling pooling = model.Model.Config.Pooling!.Value;
        PooledVector pooled = new(pooling, width);
        pooled.Add(PooledVector.Outputs(pooling, true, true) switch
        {
            BatchOutputs.First => vectors[..width],
            BatchOutputs.Last => vectors[^width..],
            _ => vectors,
        });
        float[] y = new float[width];
        pooled.Finish(normalize: false, y);
        return y;
    }

    private static LoadedModel Load(GoldenModel golden, Backend backend, KvType kvType = KvType.F32) => new(GgufFile.Open(golden.ModelPath), backend, golden.ContextLength, kvType);
}
