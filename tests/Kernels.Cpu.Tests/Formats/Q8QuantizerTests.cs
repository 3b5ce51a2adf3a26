using Quern.Kernels.Cpu.Formats;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Formats;

public unsafe class Q8QuantizerTests
{
    public static TheoryData<int> Kinds => [(int)ActivationKind.Q8Of32, (int)ActivationKind.Q8Of256];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ScalarIsWithinHalfAStepOfTheValue(int kindNumber)
    {
        ActivationKind kind = (ActivationKind)kindNumber;
        int group = Q8Vector.GroupLength(kind), perSum = Q8Vector.SumLength(kind);
        foreach (float[] x in Inputs(group))
        {
            using Q8Row row = new(kind, x.Length);
            fixed (float* source = x) Q8Quantizer.Scalar(source, x.Length, kind, row.Vector);
            for (int g = 0; g < x.Length / group; g++)
            {
                double largest = x.Skip(g * group).Take(group).Max(v => Math.Abs((double)v));
                double scale = row.Scales[g];
                Assert.True(Math.Abs(scale - (largest / 127)) <= (largest * 1e-7) + 1e-30);
                for (int i = g * group; i < (g + 1) * group; i++)
                {
                    Assert.InRange(row.Quants[i], -127, 127);
                    Assert.True(Math.Abs(x[i] - (scale * row.Quants[i])) <= (0.50001 * scale) + 1e-30, $"value {i}: {x[i]} became {scale * row.Quants[i]}");
                }
            }

            for (int s = 0; s < x.Length / perSum; s++)
            {
                int sum = 0;
                foreach (sbyte quant in row.Quants.Slice(s * perSum, perSum)) sum += quant;
                Assert.Equal(sum, row.Sums[s]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void EveryWidthGivesTheBitsOfScalar(int kindNumber)
    {
        ActivationKind kind = (ActivationKind)kindNumber;
        int group = Q8Vector.GroupLength(kind);
        foreach (float[] x in Inputs(group).Concat(NotFiniteInputs(group)))
        {
            // Input that begins at a page and is aligned, input that ends at a page, input that is aligned to 4 bytes only.
            foreach (int shift in new[] { 0, 4, -1 })
            {
                using GuardedMemory memory = new((x.Length * sizeof(float)) + Math.Max(shift, 0), shift < 0);
                float* source = (float*)(memory.Start + Math.Max(shift, 0));
                x.CopyTo(new Span<float>(source, x.Length));
                using Q8Row expected = new(kind, x.Length);
                Q8Quantizer.Scalar(source, x.Length, kind, expected.Vector);
                foreach (IsaTier tier in Enum.GetValues<IsaTier>())
                {
                    if (tier > Isa.Detected) continue;
                    using Q8Row actual = new(kind, x.Length);
                    actual.Vector.Q[0] = 99;
                    Run(tier, source, actual);
                    Assert.True(expected.Quants.SequenceEqual(actual.Quants), $"{tier}: quants differ");
                    Assert.True(expected.Sums.SequenceEqual(actual.Sums), $"{tier}: sums differ");
                    for (int i = 0; i < expected.Scales.Length; i++)
                        Assert.Equal(BitConverter.SingleToInt32Bits(expected.Scales[i]), BitConverter.SingleToInt32Bits(actual.Scales[i]));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AGroupThatIsNotFiniteIsNaNAndItsNeighboursAreNot(int kindNumber)
    {
        ActivationKind kind = (ActivationKind)kindNumber;
        int group = Q8Vector.GroupLength(kind);
        foreach (float[] x in NotFiniteInputs(group))
        {
            using Q8Row row = new(kind, x.Length);
            fixed (float* source = x) Run(Isa.Detected, source, row);
            for (int g = 0; g < x.Length / group; g++)
            {
                bool isFinite = x.Skip(g * group).Take(group).All(float.IsFinite);
                Assert.Equal(isFinite, float.IsFinite(row.Scales[g]));
                if (!isFinite) Assert.Equal(-1, row.Quants.Slice(g * group, group).IndexOfAnyExcept((sbyte)0));
            }
        }
    }

    [Fact]
    public void PartsOfAPlacedRowAreAlignedAndDoNotOverlap()
    {
        foreach (ActivationKind kind in new[] { ActivationKind.Q8Of32, ActivationKind.Q8Of256 })
            for (int k = Q8Vector.GroupLength(kind); k <= 2304; k += Q8Vector.GroupLength(kind))
            {
                Q8Vector row = Q8Vector.Place(0, kind, k);
                long end = Q8Vector.BytesNeeded(kind, k);
                Assert.Equal(0, (row.Quants | row.Scales | row.Sums | (nint)end) % 64);
                Assert.True(row.Scales >= k && row.Sums >= row.Scales + (4 * (k / Q8Vector.GroupLength(kind))));
                Assert.True(end >= row.Sums + (2 * (k / Q8Vector.SumLength(kind))));
            }
    }

    private static void Run(IsaTier tier, float* source, Q8Row row)
    {
        switch (tier, row.Kind)
        {
            case (IsaTier.Scalar, _): Q8Quantizer.Scalar(source, row.Length, row.Kind, row.Vector); break;
            case (IsaTier.Avx2 or IsaTier.AvxVnni, ActivationKind.Q8Of32): Q8Quantizer.Quantize32Avx2(source, row.Length, row.Vector); break;
            case (IsaTier.Avx2 or IsaTier.AvxVnni, _): Q8Quantizer.Quantize256Avx2(source, row.Length, row.Vector); break;
            case (_, ActivationKind.Q8Of32): Q8Quantizer.Quantize32Avx512(source, row.Length, row.Vector); break;
            default: Q8Quantizer.Quantize256Avx512(source, row.Length, row.Vector); break;
        }
    }

    private static IEnumerable<float[]> Inputs(int group)
    {
        Random random = new(7);
        for (int groups = 1; groups <= 5; groups++)
        {
            float[] x = new float[groups * group];
            for (int i = 0; i < x.Length; i++) x[i] = Q8Row.Normal(random);
            yield return x;
            yield return x.Select(v => v * 1e37f).ToArray();
            yield return x.Select(v => v * 1e-32f).ToArray();
            yield return x.Select(v => v * 1e-42f).ToArray();
            yield return x.Select((v, i) => i / group % 2 == 0 ? 0f : MathF.Round(v * 4) / 2).ToArray();
            yield return x.Select((_, i) => i % 3 == 0 ? 127f : (i % 17) - 8.5f).ToArray();
        }
    }

    private static IEnumerable<float[]> NotFiniteInputs(int group)
    {
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity, -float.NaN })
            for (int at = 0; at < group; at += 7)
            {
                float[] x = Enumerable.Range(0, 3 * group).Select(i => (float)Math.Sin(i)).ToArray();
                x[group + at] = bad;
                yield return x;
            }
    }
}
