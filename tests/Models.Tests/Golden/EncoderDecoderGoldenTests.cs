using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.TestKit;
using Quern.TestKit.Oracle;

namespace Quern.Models.Tests.Golden;

/// <summary>Models that read a text and write another one: the logits that an independent engine computed, on the oracle's operations and on the processor's, in exact and in fast mode.</summary>
public sealed class EncoderDecoderGoldenTests : IDisposable
{
    private const float ExactTolerance = 2e-4f;

    /// <summary>How much further than the reference engine's own run fast logits may be from the exact ones: root mean square, or the largest where only that is recorded.</summary>
    private const double NativeFactor = 1.25;

    /// <summary>From which gap between the reference's two best logits on the best must be the same, in the same unit: see <see cref="CpuGoldenTests"/>.</summary>
    private const double EightBitGap = 2 * 1.4142 * NativeFactor;

    private readonly ThreadTeam _team = new(2);

    public static IEnumerable<object[]> Names => GoldenModel.Of(ModelTask.EncoderDecoder);

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void TheOraclesLogits(string name) => AssertExact(name, new OracleBackend(), tokens => tokens);

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void ExactLogitsOfOneBatch(string name) => AssertExact(name, new CpuBackend(_team, ComputeMode.Exact), tokens => tokens);

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void ExactLogitsOfSingleTokens(string name) => AssertExact(name, new CpuBackend(_team, ComputeMode.Exact), _ => 1);

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void ExactLogitsBesideAnotherSequence(string name)
    {
        GoldenModel golden = GoldenModel.Load(name);
        using LoadedModel model = Load(golden, new CpuBackend(_team, ComputeMode.Exact));
        int[] other = [.. golden.EncoderTokens.Skip(7)], text = golden.EncoderTokens;
        Batch batch = new(text.Length + other.Length, 2);
        batch.Add(other, 0, model.Pages(1), BatchOutputs.None, prefix: other.Length);
        batch.Add(text, 0, model.Pages(0), BatchOutputs.None, prefix: text.Length);
        model.Model.Encode(batch, model.Cache, model.Backend);
        List<float> first = [], second = [];
        for (int done = 0, step = golden.Split; done < golden.Tokens.Length; done += step, step = 1)
        {
            batch.Clear();
            batch.Add(golden.Tokens.AsSpan(done, step), other.Length + done, model.Pages(1), BatchOutputs.All, prefix: other.Length);
            batch.Add(golden.Tokens.AsSpan(done, step), text.Length + done, model.Pages(0), BatchOutputs.All, prefix: text.Length);
            float[] logits = model.Forward(batch);
            second.AddRange(logits.AsSpan(0, logits.Length / 2));
            first.AddRange(logits.AsSpan(logits.Length / 2));
        }

        Close.AssertAll(golden.Logits, first.ToArray(), golden.Vocabulary, ExactTolerance);
        model.Read(other, 2);
        Close.AssertAll(model.Write(other.Length, golden.Tokens, golden.Tokens.Length, 1, 2), second.ToArray(), golden.Vocabulary, ExactTolerance);
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void FastLogitsOfOneBatch(string name) => AssertFast(name, tokens => tokens);

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void FastLogitsOfSingleTokens(string name) => AssertFast(name, _ => 1);

    public void Dispose() => _team.Dispose();

    private static void AssertExact(string name, Backend backend, Func<int, int> step)
    {
        GoldenModel golden = GoldenModel.Load(name);
        using LoadedModel model = Load(golden, backend);
        model.Read(golden.EncoderTokens);
        Close.AssertAll(golden.Logits, model.Write(golden.EncoderTokens.Length, golden.Tokens, step(golden.Tokens.Length), 1), golden.Vocabulary, ExactTolerance);
    }

    private void AssertFast(string name, Func<int, int> step)
    {
        GoldenModel golden = GoldenModel.Load(name);
        using LoadedModel model = Load(golden, new CpuBackend(_team), KvType.F16);
        model.Read(golden.EncoderTokens);
        float[] logits = model.Write(golden.EncoderTokens.Length, golden.Tokens, step(golden.Tokens.Length), 1);
        if (golden.NativeRms is not { } native)
        {
            Close.AssertAll(golden.Logits, logits, golden.Vocabulary, (float)(NativeFactor * golden.NativeMaxDifference!.Value));
            return;
        }

        double rms = GoldenModel.Rms(golden.Logits, logits);
        Assert.True(rms <= NativeFactor * native, $"{rms:g4} from the exact logits; the reference engine's quantised run is {native:g4} from them");
        Close.AssertSameBest(golden.Logits, logits, golden.Vocabulary, EightBitGap * native);
    }

    private static LoadedModel Load(GoldenModel golden, Backend backend, KvType kvType = KvType.F32) => new(GgufFile.Open(golden.ModelPath), backend, golden.ContextLength, kvType);
}
