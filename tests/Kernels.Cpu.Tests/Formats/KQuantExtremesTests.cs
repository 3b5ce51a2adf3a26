using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using FsCheck.Xunit;
using Quern.Kernels.Cpu.Formats;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Formats;

/// <summary>
/// The 256-value formats at the ends of their ranges, where byte products saturate and 16-bit sums wrap if a kernel is wrong: every block
/// filled with one byte, activations all at +127, all at −127 or alternating, against a sum in double precision. The block lies at a guard page.
/// </summary>
public sealed unsafe class KQuantExtremesTests
{
    private static readonly byte[] Fillings = [0x00, 0xff, 0x0f, 0xf0, 0x33, 0xcc, 0x7f, 0x80, 0x3f, 0xc0, 0x55, 0xaa];

    [Fact]
    public void Q2_K_is_exact_at_the_extremes() => Check<Q2_K>(80, 82);

    [Fact]
    public void Q3_K_is_exact_at_the_extremes() => Check<Q3_K>(108);

    [Fact]
    public void Q4_K_is_exact_at_the_extremes() => Check<Q4_K>(0, 2);

    [Fact]
    public void Q5_K_is_exact_at_the_extremes() => Check<Q5_K>(0, 2);

    [Fact]
    public void Q6_K_is_exact_at_the_extremes() => Check<Q6_K>(208);

    [Fact]
    public void IQ4_XS_is_exact_at_the_extremes() => Check<IQ4_XS>(0);

    [Property]
    public bool Six_bit_scales_survive_packing(byte[] seed)
    {
        byte[] scales = new byte[8], minimums = new byte[8];
        for (int i = 0; i < seed.Length; i++) (i % 2 == 0 ? scales : minimums)[i / 2 % 8] = (byte)(seed[i] & 63);
        byte* packed = stackalloc byte[12];
        SixBitScales.Store(scales, minimums, packed);
        Vector128<byte> all = SixBitScales.Load(packed);
        for (int j = 0; j < 8; j++)
        {
            int place = SixBitScales.Place(j);
            if (SixBitScales.Load(packed, j) != (scales[j], minimums[j]) || all[place] != scales[j] || all[place + 4] != minimums[j]) return false;
        }

        return true;
    }

    [Fact]
    public void Four_rows_in_one_loop_give_the_sums_of_four()
    {
        CheckFour<Q2_K>();
        CheckFour<Q3_K>();
        CheckFour<Q4_K>();
        CheckFour<Q5_K>();
        CheckFour<Q6_K>();
        CheckFour<IQ4_XS>();
    }

    // The way a driver uses a step: inlined four times in optimised code, where registers and address displacements differ from a single call.
    private static void CheckFour<T>()
        where T : struct, IDotFormat
    {
        const int BlockCount = 3;
        Random random = new(6);
        int bytes = BlockCount * T.Info.BlockBytes;
        using Q8Row x = Q8Row.Random(random, ActivationKind.Q8Of256, BlockCount * 256);
        using GuardedMemory rows = new(4 * bytes);
        FormatProbe.Fill(FormatTable.Find(T.Info.TypeId)!, random, rows.Start, 4 * BlockCount);
        float* narrow = stackalloc float[4], wide = stackalloc float[4];
        if (Isa.HasAvx2) FourRows256<T>(rows.Start, BlockCount, x.Vector, narrow);
        if (Isa.HasAvx512) FourRows512<T>(rows.Start, BlockCount, x.Vector, wide);
        for (int r = 0; r < 4; r++)
        {
            float expected = 0, size = 0;
            for (int b = 0; b < BlockCount; b++)
            {
                float sum = T.DotScalar(rows.Start + (r * bytes) + (b * T.Info.BlockBytes), x.Vector, b);
                expected += sum;
                size += Math.Abs(sum);
            }

            if (Isa.HasAvx2) Assert.Equal(expected, narrow[r], 1e-4f * size);
            if (Isa.HasAvx512) Assert.Equal(expected, wide[r], 1e-4f * size);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRows256<T>(byte* row, int blockCount, in Q8Vector x, float* sums)
        where T : struct, IDotFormat
    {
        long stride = (long)blockCount * T.Info.BlockBytes;
        Vector256<float> a = Vector256<float>.Zero, b = a, c = a, d = a;
        for (int i = 0; i < blockCount; i++, row += T.Info.BlockBytes)
        {
            a = T.Step(row, x, i, a);
            b = T.Step(row + stride, x, i, b);
            c = T.Step(row + (2 * stride), x, i, c);
            d = T.Step(row + (3 * stride), x, i, d);
        }

        (sums[0], sums[1], sums[2], sums[3]) = (Vector256.Sum(a), Vector256.Sum(b), Vector256.Sum(c), Vector256.Sum(d));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRows512<T>(byte* row, int blockCount, in Q8Vector x, float* sums)
        where T : struct, IDotFormat
    {
        long stride = (long)blockCount * T.Info.BlockBytes;
        Vector512<float> a = Vector512<float>.Zero, b = a, c = a, d = a;
        for (int i = 0; i < blockCount; i++, row += T.Info.BlockBytes)
        {
            a = T.Step(row, x, i, a);
            b = T.Step(row + stride, x, i, b);
            c = T.Step(row + (2 * stride), x, i, c);
            d = T.Step(row + (3 * stride), x, i, d);
        }

        (sums[0], sums[1], sums[2], sums[3]) = (Vector512.Sum(a), Vector512.Sum(b), Vector512.Sum(c), Vector512.Sum(d));
    }

    // scaleOffsets: where the block has its binary16 scales, which become 1.
    private static void Check<T>(params int[] scaleOffsets)
        where T : struct, IDotFormat
    {
        using Q8Row row = new(ActivationKind.Q8Of256, 256);
        using GuardedMemory atEnd = new(T.Info.BlockBytes), atStart = new(T.Info.BlockBytes, atEnd: false);
        foreach (byte filling in Fillings)
        {
            for (int pattern = 0; pattern < 3; pattern++)
            {
                Fill(row, pattern);
                foreach (GuardedMemory memory in new[] { atEnd, atStart })
                {
                    memory.Span.Fill(filling);
                    foreach (int offset in scaleOffsets) (memory.Span[offset], memory.Span[offset + 1]) = (0x00, 0x3c);
                    Compare<T>(memory.Start, row, $"{T.Info.Name}, bytes {filling:x2}, activations {pattern}");
                }
            }
        }
    }

    private static void Compare<T>(byte* block, Q8Row row, string what)
        where T : struct, IDotFormat
    {
        float* values = stackalloc float[256], wide = stackalloc float[256];
        T.DecodeScalar(block, 1, values);
        T.Decode(block, 1, wide);
        Assert.True(new ReadOnlySpan<int>(values, 256).SequenceEqual(new ReadOnlySpan<int>(wide, 256)), what);
        double exact = 0, magnitude = 0;
        for (int i = 0; i < 256; i++)
        {
            double product = (double)values[i] * row.Quants[i];
            exact += product;
            magnitude += Math.Abs(product);
        }

        Near(T.DotScalar(block, row.Vector, 0), "scalar");
        if (Isa.HasAvx2) Near(Vector256.Sum(T.Step(block, row.Vector, 0, Vector256<float>.Zero)), "256 bits");
        if (Isa.HasAvx512) Near(Vector512.Sum(T.Step(block, row.Vector, 0, Vector512<float>.Zero)), "512 bits");

        void Near(float actual, string width) =>
            Assert.True(Math.Abs(actual - exact) <= 1e-6 * magnitude, $"{what}, {width}: {actual} instead of {exact}");
    }

    private static void Fill(Q8Row row, int pattern)
    {
        row.Vector.D[0] = 1;
        for (int i = 0; i < 256; i++) row.Vector.Q[i] = (sbyte)(pattern == 0 || (pattern == 2 && i % 2 == 0) ? 127 : -127);
        for (int i = 0; i < 16; i++)
        {
            int sum = 0;
            for (int j = 0; j < 16; j++) sum += row.Vector.Q[(16 * i) + j];
            row.Vector.S[i] = (short)sum;
        }
    }
}
