using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Q2_K: 256 values in 84 bytes, 2.625 bits each; sixteen sub-blocks of 16 with a 4-bit scale s and a 4-bit minimum m:
/// <c>w = d × s × q − dmin × m</c>, q in 0…3.
/// Layout: 16 bytes with s in the low and m in the high nibble, 64 bytes of bit pairs, d f16, dmin f16. Bit pair k of byte 32h + i of the
/// 64 is value 128h + 32k + i.
/// Bounds: a byte pair product is at most 2 × 3 × 127 = 762, times a scale of 15 and summed in pairs 22,860.
/// Source: llama.cpp, ggml-common.h and ggml-quants.c, block_q2_K; k-quants, llama.cpp pull request 1684.
/// </summary>
internal readonly unsafe struct Q2_K : IDotFormat
{
    private const int Bytes = 84, Pairs = 16, Scale = 80, Minimum = 82;

    public static FormatInfo Info { get; } = new("Q2_K", 10, 256, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of256;

    public static int BlocksPerWideStep => 1;

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 256)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + Scale));
            float dmin = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + Minimum));
            for (int i = 0; i < 256; i++)
            {
                float step = d * (blocks[i / 16] & 15), offset = dmin * (blocks[i / 16] >> 4);
                values[i] = (step * Quant(blocks, i)) - offset;
            }
        }
    }

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* quants = x.Q + (256L * index);
        short* sums = x.S + (16L * index);
        int products = 0, minimums = 0;
        for (int i = 0; i < 256; i++) products += (block[i / 16] & 15) * Quant(block, i) * quants[i];
        for (int j = 0; j < 16; j++) minimums += (block[j] >> 4) * sums[j];
        float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + Scale));
        float dmin = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + Minimum));
        return x.D[index] * ((d * products) - (dmin * minimums));
    }

    public static void Decode(byte* blocks, long blockCount, float* values)
    {
        if (!Isa.HasAvx2)
        {
            DecodeScalar(blocks, blockCount, values);
            return;
        }

        Vector256<byte> pair = Vector256.Create((byte)3);
        for (; blockCount > 0; blockCount--, blocks += Bytes)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + Scale));
            float dmin = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + Minimum));
            byte* scales = blocks;
            for (int h = 0; h < 2; h++)
            {
                Vector256<ushort> q = Vector256.Load((ushort*)(blocks + Pairs + (32 * h)));
                for (int k = 0; k < 4; k++, q >>= 2, scales += 2, values += 32)
                {
                    Vector256<byte> quants = q.AsByte() & pair;
                    Widening.Store(quants.GetLower(), d * (scales[0] & 15), dmin * (scales[0] >> 4), values);
                    Widening.Store(quants.GetUpper(), d * (scales[1] & 15), dmin * (scales[1] >> 4), values + 16);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum)
    {
        sbyte* quants = x.Q + (256L * index);
        Vector128<byte> nibbles = Vector128.Load(block), s = nibbles & Vector128.Create((byte)15);
        Vector256<byte> scales = Vector256.Create(s, s);
        Vector256<short> minimums = Avx2.ConvertToVector256Int16((nibbles.AsUInt16() >> 4).AsByte() & Vector128.Create((byte)15));
        Vector256<int> offsets = Avx2.MultiplyAddAdjacent(minimums, Vector256.Load(x.S + (16L * index)));
        Vector256<int> products = Half(block + Pairs, quants, scales, 0) + Half(block + Pairs + 32, quants + 128, scales, 8);
        float scale = x.D[index];
        float d = scale * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + Scale));
        float dmin = scale * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + Minimum));
        sum = Fma.MultiplyAdd(Avx.ConvertToVector256Single(products), Vector256.Create(d), sum);
        return Fma.MultiplyAddNegated(Avx.ConvertToVector256Single(offsets), Vector256.Create(dmin), sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Step(byte* block, in Q8Vector x, int index, Vector512<float> sum)
    {
        byte* a = (byte*)x.Q + (256L * index);
        Vector128<byte> nibbles = Vector128.Load(block);
        Vector512<byte> scales = ScaleLanes.Repeat512(nibbles & Vector128.Create((byte)15));
        Vector256<short> minimums = Avx2.ConvertToVector256Int16((nibbles.AsUInt16() >> 4).AsByte() & Vector128.Create((byte)15));
        Vector256<int> offsets = Avx2.MultiplyAddAdjacent(minimums, Vector256.Load(x.S + (16L * index)));
        // Bit pair k of the 64 bytes is quarter k of either half, so the activations are put side by side in the same way.
        Vector512<ushort> q = Vector512.Load((ushort*)(block + Pairs));
        Vector512<byte> a0 = Vector512.Load(a), a1 = Vector512.Load(a + 64), a2 = Vector512.Load(a + 128), a3 = Vector512.Load(a + 192);
        Vector512<int> products = Quarters(q, ScaleLanes.Lower(a0, a2), scales, 0) + Quarters(q >> 2, ScaleLanes.Upper(a0, a2), scales, 2)
            + Quarters(q >> 4, ScaleLanes.Lower(a1, a3), scales, 4) + Quarters(q >> 6, ScaleLanes.Upper(a1, a3), scales, 6);
        float scale = x.D[index];
        float d = scale * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + Scale));
        float dmin = scale * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + Minimum));
        sum = Avx512F.FusedMultiplyAdd(Avx512F.ConvertToVector512Single(products), Vector512.Create(d), sum);
        return Avx512F.FusedMultiplyAddNegated(Avx512F.ConvertToVector512Single(offsets.ToVector512()), Vector512.Create(dmin), sum);
    }

    public static InterleavedLayout Layout { get; } = new("Q2_K", 2, ScaleKind.Super, 0) { PerSixteen = true, HasMinimums = true };

    public static Vector256<byte> StepCodes(byte* block, int step) =>
        (Vector256.Load((ushort*)(block + Pairs + (step / 4 * 32))) >> (2 * (step % 4))).AsByte() & Vector256.Create((byte)3);

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => (Unsafe.ReadUnaligned<ushort>(block + Scale), Unsafe.ReadUnaligned<ushort>(block + Minimum));

    public static SubScales StepScales(byte* block, int step)
    {
        byte first = block[2 * step], last = block[(2 * step) + 1];
        return new SubScales((sbyte)(first & 15), (sbyte)(last & 15), (sbyte)-(first >> 4), (sbyte)-(last >> 4));
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        byte* quants = stackalloc byte[256];
        Span<byte> scales = stackalloc byte[16], minimums = stackalloc byte[16];
        AffineSuperBlock<Unsigned2> fit = new(subLength: 16, highestScale: 15);
        for (long b = 0; b < blockCount; b++, blocks += Bytes)
        {
            (ushort d, ushort dmin) = fit.Quantize(
                values + (256 * b), importance == null ? null : importance + (256 * b), scales, minimums, quants);
            Unsafe.WriteUnaligned(blocks + Scale, d);
            Unsafe.WriteUnaligned(blocks + Minimum, dmin);
            for (int j = 0; j < 16; j++) blocks[j] = (byte)(scales[j] | (minimums[j] << 4));
            for (int i = 0; i < 64; i++)
            {
                byte* q = quants + (i / 32 * 128) + (i % 32);
                blocks[Pairs + i] = (byte)(q[0] | (q[32] << 2) | (q[64] << 4) | (q[96] << 6));
            }
        }
    }

    private static int Quant(byte* block, int i) => (block[Pairs + (i / 128 * 32) + (i % 32)] >> (i / 32 % 4 * 2)) & 3;

    // Half a block: 32 bytes with 128 activations and eight scales from place on.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Half(byte* pairs, sbyte* x, Vector256<byte> scales, int place)
    {
        Vector256<ushort> q = Vector256.Load((ushort*)pairs);
        Vector256<byte> pair = Vector256.Create((byte)3);
        return Avx2.MultiplyAddAdjacent(
                Avx2.MultiplyAddAdjacent(q.AsByte() & pair, Vector256.Load(x)), ScaleLanes.OfBytes(scales, place, place + 1))
            + Avx2.MultiplyAddAdjacent(
                Avx2.MultiplyAddAdjacent((q >> 2).AsByte() & pair, Vector256.Load(x + 32)), ScaleLanes.OfBytes(scales, place + 2, place + 3))
            + Avx2.MultiplyAddAdjacent(
                Avx2.MultiplyAddAdjacent((q >> 4).AsByte() & pair, Vector256.Load(x + 64)), ScaleLanes.OfBytes(scales, place + 4, place + 5))
            + Avx2.MultiplyAddAdjacent(
                Avx2.MultiplyAddAdjacent((q >> 6).AsByte() & pair, Vector256.Load(x + 96)), ScaleLanes.OfBytes(scales, place + 6, place + 7));
    }

    // One quarter of either half; place is the scale of the first half's quarter, the second half's is eight behind.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Quarters(Vector512<ushort> q, Vector512<byte> x, Vector512<byte> scales, int place) =>
        Avx512BW.MultiplyAddAdjacent(
            Avx512BW.MultiplyAddAdjacent(q.AsByte() & Vector512.Create((byte)3), x.AsSByte()),
            ScaleLanes.OfBytes(scales, place, place + 1, place + 8, place + 9));

    /// <summary>All whole numbers from 0 to 3.</summary>
    private readonly struct Unsigned2 : ICodeRange
    {
        public static float Lowest => 0;

        public static float Highest => 3;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Round(values, Lowest, Highest);
    }
}
