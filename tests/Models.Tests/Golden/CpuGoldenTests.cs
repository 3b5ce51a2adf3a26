using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.TestKit;

namespace Quern.Models.Tests.Golden;

/// <summary>
/// The architectures on the processor's operations, in the two modes that a run may choose. Exact: every logit is the reference's, whatever the
/// batches. Fast: no further from it than the reference engine's own quantised run, and a quarter.
/// </summary>
public sealed class CpuGoldenTests : IDisposable
{
    private const float ExactTolerance = 2e-4f;

    /// <summary>How much further than the reference engine's own run fast logits may be from the exact ones: root mean square, or the largest where only that is recorded.</summary>
    private const double NativeFactor = 1.25;

    /// <summary>
    /// From which gap between the reference's two best logits on the best of activations of eight bits must be the same, in the same unit: two deviations of a
    /// difference between two logits that are both off by the rms above. Below it they change a best token by chance, in the reference engine's own runs too (up to
    /// 1.9 times their rms). Where a prompt's products are in binary32, <see cref="NativeFactor"/> holds.
    /// </summary>
    private const double EightBitGap = 2 * 1.4142 * NativeFactor;

    /// <summary>
    /// What a cache in binary16 may cost where weights are floating-point numbers and no run of the reference with narrower activations is
    /// recorded, in standard deviations of the logits.
    /// </summary>
    private const double HalfCacheTolerance = 0.01;

    private readonly ThreadTeam _team = new(2);

    public static IEnumerable<object[]> Names => GoldenModel.Names;

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void ExactLogitsOfOneBatch(string name)
    {
        GoldenModel golden = GoldenModel.Load(name);
        using LoadedModel model = Load(golden, ComputeMode.Exact);
        Close.AssertAll(golden.Logits, model.Evaluate(golden.Tokens), golden.Vocabulary, ExactTolerance);
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void ExactLogitsOfAPromptAndSingleTokens(string name)
    {
        GoldenModel golden = GoldenModel.Load(name);
        using LoadedModel model = Load(golden, ComputeMode.Exact);
        Close.AssertAll(golden.Logits, model.Evaluate(golden.Tokens, golden.Split, 1), golden.Vocabulary, ExactTolerance);
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void ExactLogitsBesideAnotherSequence(string name)
    {
        GoldenModel golden = GoldenModel.Load(name);
        using LoadedModel model = Load(golden, ComputeMode.Exact);
        int[] other = [.. golden.Tokens.Reverse()];
        Batch batch = new(2 * golden.Tokens.Length, 2);
        float[] first = new float[golden.Logits.Length], second = new float[golden.Logits.Length];
        for (int done = 0, otherDone = 0, step = golden.Split; done < golden.Tokens.Length; step = 1)
        {
            // The other sequence is a few tokens ahead, and in the same batches.
            int otherStep = Math.Min(done == 0 ? step + 3 : step, other.Length - otherDone);
            batch.Clear();
            if (otherStep > 0) batch.Add(other.AsSpan(otherDone, otherStep), otherDone, model.Pages(1), BatchOutputs.All);
            batch.Add(golden.Tokens.AsSpan(done, step), done, model.Pages(0), BatchOutputs.All);
            float[] logits = model.Forward(batch);
            logits.AsSpan(0, otherStep * golden.Vocabulary).CopyTo(second.AsSpan(otherDone * golden.Vocabulary));
            logits.AsSpan(otherStep * golden.Vocabulary).CopyTo(first.AsSpan(done * golden.Vocabulary));
            (done, otherDone) = (done + step, otherDone + otherStep);
        }

        Close.AssertAll(golden.Logits, first, golden.Vocabulary, ExactTolerance);
        Close.AssertAll(model.Evaluate(other), second, golden.Vocabulary, ExactTolerance);
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void FastLogitsOfOneBatch(string name) => AssertFast(name, tokens => tokens, Isa.HasAssembledAvx2 ? EightBitGap : NativeFactor);

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void FastLogitsOfSingleTokens(string name) => AssertFast(name, _ => 1, EightBitGap);

    public void Dispose() => _team.Dispose();

    private void AssertFast(string name, Func<int, int> step, double gap)
    {
        GoldenModel golden = GoldenModel.Load(name);
        using LoadedModel model = Load(golden, ComputeMode.Fast, KvType.F16);
        float[] logits = model.Evaluate(golden.Tokens, step(golden.Tokens.Length), step(golden.Tokens.Length));
        if (golden.NativeRms is not { } native)
        {
            // The largest of thousands of roundings to binary16 moves with the order of sums, which is another one in every engine (internlm2: 1.11 of the reference's own, phi3: 1.01).
            double tolerance = golden.NativeMaxDifference is { } difference ? NativeFactor * difference : HalfCacheTolerance * golden.Deviation;
            Close.AssertAll(golden.Logits, logits, golden.Vocabulary, (float)tolerance);
            return;
        }

        double rms = GoldenModel.Rms(golden.Logits, logits);
        Assert.True(rms <= NativeFactor * native, $"{rms:g4} from the exact logits; the reference engine's quantised run is {native:g4} from them");
        Close.AssertSameBest(golden.Logits, logits, golden.Vocabulary, gap * native);
    }

    private LoadedModel Load(GoldenModel golden, ComputeMode mode, KvType kvType = KvType.F32) =>
        new(GgufFile.Open(golden.ModelPath), new CpuBackend(_team, mode), golden.ContextLength, kvType);
}
