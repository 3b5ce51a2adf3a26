using Quern.Kernels.Cpu.Formats;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Formats;

/// <summary>Rungs 1 to 3 of the ladder for every format with a dot product: double precision, scalar, each width.</summary>
public unsafe class FormatDotTests
{
    public static TheoryData<string> DotFormats => FormatProbe.Names(f => f is IDotRows);

    [Theory]
    [MemberData(nameof(DotFormats))]
    public void ScalarAgreesWithDoublePrecision(string name) => Check(name, (_, _, _, scalar, exact, size) =>
        Assert.True(Math.Abs(scalar - exact) <= 1e-6 * size, $"scalar {scalar:R}, exact {exact:R}, size {size:R}"));

    [Theory]
    [MemberData(nameof(DotFormats))]
    public void EveryWidthAgreesWithScalar(string name)
    {
        IsaTier[] tiers = [.. new[] { IsaTier.Avx2, IsaTier.Avx512 }.Where(tier => tier <= Isa.Detected)];
        int ran = 0;
        Check(name, (rows, row, x, scalar, exact, size) =>
        {
            foreach (IsaTier tier in tiers)
            {
                ran++;
                float sum = rows.DotRow(tier, (byte*)row, x.Vector, x.Length / FormatProbe.Find(name).Info.BlockLength);
                double tolerance = (2 * Math.Abs(scalar - exact)) + (5e-7 * size);
                Assert.True(Math.Abs(sum - exact) <= tolerance, $"{tier}: {sum:R}, scalar {scalar:R}, exact {exact:R}, size {size:R}");
            }
        });
        Assert.True(ran > 0 || tiers.Length == 0);
    }

    private static void Check(string name, Action<IDotRows, nint, Q8Row, float, double, double> assert)
    {
        WeightFormat format = FormatProbe.Find(name);
        FormatInfo info = format.Info;
        Random random = new(3);
        for (int blockCount = 1; blockCount <= 5; blockCount++)
            foreach (int shift in new[] { -1, 0, 1, 2, 3 })
                for (int round = 0; round < 12; round++)
                {
                    using GuardedMemory memory = new((blockCount * info.BlockBytes) + Math.Max(shift, 0), atEnd: shift < 0);
                    byte* row = memory.Start + Math.Max(shift, 0);
                    FormatProbe.Fill(format, random, row, blockCount);
                    using Q8Row x = Activations(random, format.Activation, blockCount * info.BlockLength, round);
                    (double exact, double size) = Exact(format, row, blockCount, x);
                    assert((IDotRows)format, (nint)row, x, ((IDotRows)format).DotRow(IsaTier.Scalar, row, x.Vector, blockCount), exact, size);
                }
    }

    // Half of the rounds take the values that saturate 16-bit sums first: all quants at one end, or at the ends at random.
    private static Q8Row Activations(Random random, ActivationKind kind, int k, int round)
    {
        if (round % 2 == 0) return Q8Row.Random(random, kind, k);
        Q8Row row = new(kind, k);
        float[] x = new float[k];
        for (int i = 0; i < k; i++) x[i] = round % 4 == 1 ? ((round & 4) - 2) : (random.Next(2) == 0 ? -1 : 1);
        fixed (float* source = x) Q8Quantizer.Scalar(source, k, kind, row.Vector);
        return row;
    }

    // Formats with an offset or a minimum add up large terms that cancel, so an error is measured against the largest weight of each block
    // times its activations: Size = Σ over blocks of max|w| × Σ|a|.
    private static (double Exact, double Size) Exact(WeightFormat format, byte* row, int blockCount, Q8Row x)
    {
        float[] weights = new float[x.Length];
        fixed (float* destination = weights) format.DecodeScalar(row, blockCount, destination);
        double exact = 0, size = 0;
        int length = format.Info.BlockLength;
        for (int start = 0; start < weights.Length; start += length)
        {
            double largest = 0, activations = 0;
            for (int i = start; i < start + length; i++)
            {
                double a = (double)x.Scales[i / Q8Vector.GroupLength(x.Kind)] * x.Quants[i];
                exact += weights[i] * a;
                activations += Math.Abs(a);
                largest = Math.Max(largest, Math.Abs(weights[i]));
            }

            size += largest * activations;
        }

        return (exact, size);
    }
}
