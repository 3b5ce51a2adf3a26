using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Q4_K: 256 values in 144 bytes, 4.5 bits each; eight sub-blocks of 32 with a 6-bit scale s and a 6-bit minimum m:
/// <c>w = d × s × q − dmin × m</c>, q in 0…15.
/// Layout: d f16, dmin f16, 12 bytes of scales and minimums (<see cref="SixBitScales"/>), 4 × 32 bytes of nibbles: the low nibbles of
/// 32 bytes are sub-block 2j, the high ones 2j + 1.
/// Bounds: a byte pair product is at most 2 × 15 × 127 = 3,810, times a scale of 63 and summed in pairs 480,060.
/// Source: llama.cpp, ggml-common.h and ggml-quants.c, block_q4_K; k-quants, llama.cpp pull request 1684.
/// </summary>
internal readonly unsafe struct Q4_K : IDotFormat
{
    public static FormatInfo Info { get; } = new("Q4_K", 12, 256, 144);

    public static ActivationKind Activation => ActivationKind.Q8Of256;

    public static int BlocksPerWideStep => 1;

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += 144, values += 256)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            float dmin = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + 2));
            for (int j = 0; j < 8; j++)
            {
                (int scale, int minimum) = SixBitScales.Load(blocks + 4, j);
                float step = d * scale, offset = dmin * minimum;
                for (int i = 0; i < 32; i++) values[(32 * j) + i] = (step * Quant(blocks, j, i)) - offset;
            }
        }
    }

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* quants = x.Q + (256L * index);
        short* sums = x.S + (16L * index);
        int products = 0, minimums = 0;
        for (int j = 0; j < 8; j++)
        {
            (int scale, int minimum) = SixBitScales.Load(block + 4, j);
            int sum = 0;
            for (int i = 0; i < 32; i++) sum += Quant(block, j, i) * quants[(32 * j) + i];
            products += scale * sum;
            minimums += minimum * (sums[2 * j] + sums[(2 * j) + 1]);
        }

        float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));
        float dmin = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + 2));
        return x.D[index] * ((d * products) - (dmin * minimums));
    }

    public static void Decode(byte* blocks, long blockCount, float* values)
    {
        if (!Isa.HasAvx2)
        {
            DecodeScalar(blocks, blockCount, values);
            return;
        }

        Vector256<byte> nibble = Vector256.Create((byte)15);
        for (; blockCount > 0; blockCount--, blocks += 144, values += 256)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            float dmin = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + 2));
            Vector128<byte> scales = SixBitScales.Load(blocks + 4);
            byte* s = (byte*)&scales;
            for (int j = 0; j < 4; j++)
            {
                Vector256<byte> q = Vector256.Load(blocks + 16 + (32 * j));
                int place = SixBitScales.Place(2 * j);
                Store(q & nibble, d * s[place], dmin * s[place + 4], values + (64 * j));
                Store((q.AsUInt16() >> 4).AsByte() & nibble, d * s[place + 1], dmin * s[place + 5], values + (64 * j) + 32);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum)
    {
        sbyte* quants = x.Q + (256L * index);
        Vector128<byte> packed = SixBitScales.Load(block + 4);
        Vector256<byte> scales = Vector256.Create(packed, packed);
        Vector256<int> products = Pair(block + 16, quants, scales, 0) + Pair(block + 48, quants + 64, scales, 2)
            + Pair(block + 80, quants + 128, scales, 8) + Pair(block + 112, quants + 192, scales, 10);
        Vector256<int> minimums = SixBitScales.Minimums(scales, x.S + (16L * index));
        float scale = x.D[index];
        float d = scale * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));
        float dmin = scale * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + 2));
        sum = Fma.MultiplyAdd(Avx.ConvertToVector256Single(products), Vector256.Create(d), sum);
        return Fma.MultiplyAddNegated(Avx.ConvertToVector256Single(minimums), Vector256.Create(dmin), sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Step(byte* block, in Q8Vector x, int index, Vector512<float> sum)
    {
        sbyte* quants = x.Q + (256L * index);
        Vector512<byte> scales = ScaleLanes.Repeat512(SixBitScales.Load(block + 4));
        Vector512<int> products = Quads(block + 16, quants, scales, 0) + Quads(block + 80, quants + 128, scales, 8);
        Vector512<int> minimums = SixBitScales.Minimums(scales.GetLower(), x.S + (16L * index)).ToVector512();
        float scale = x.D[index];
        float d = scale * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));
        float dmin = scale * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + 2));
        sum = Avx512F.FusedMultiplyAdd(Avx512F.ConvertToVector512Single(products), Vector512.Create(d), sum);
        return Avx512F.FusedMultiplyAddNegated(Avx512F.ConvertToVector512Single(minimums), Vector512.Create(dmin), sum);
    }

    public static InterleavedLayout Layout { get; } = new("Q4_K", 4, ScaleKind.Super, 0) { HasMinimums = true };

    public static Vector256<byte> StepCodes(byte* block, int step) =>
        (Vector256.Load((ushort*)(block + 16 + (step / 2 * 32))) >> (4 * (step & 1))).AsByte() & Vector256.Create((byte)15);

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => (Unsafe.ReadUnaligned<ushort>(block), Unsafe.ReadUnaligned<ushort>(block + 2));

    public static SubScales StepScales(byte* block, int step)
    {
        (int scale, int minimum) = SixBitScales.Load(block + 4, step);
        return new SubScales((sbyte)scale, 0, (sbyte)-minimum, 0);
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        byte* quants = stackalloc byte[256];
        Span<byte> scales = stackalloc byte[8], minimums = stackalloc byte[8];
        AffineSuperBlock<Unsigned4> fit = new(subLength: 32, highestScale: 63);
        for (long b = 0; b < blockCount; b++, blocks += 144)
        {
            (ushort d, ushort dmin) = fit.Quantize(
                values + (256 * b), importance == null ? null : importance + (256 * b), scales, minimums, quants);
            Unsafe.WriteUnaligned(blocks, d);
            Unsafe.WriteUnaligned(blocks + 2, dmin);
            SixBitScales.Store(scales, minimums, blocks + 4);
            for (int i = 0; i < 128; i++)
            {
                byte* pair = quants + (i / 32 * 64) + (i % 32);
                blocks[16 + i] = (byte)(pair[0] | (pair[32] << 4));
            }
        }
    }

    private static int Quant(byte* block, int subBlock, int i) => (block[16 + (subBlock / 2 * 32) + i] >> (4 * (subBlock & 1))) & 15;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<byte> quants, float scale, float offset, float* values)
    {
        Widening.Store(quants.GetLower(), scale, offset, values);
        Widening.Store(quants.GetUpper(), scale, offset, values + 16);
    }

    // Two sub-blocks: 32 bytes of nibbles with 64 activations; place is where the scales vector has the first scale.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Pair(byte* nibbles, sbyte* x, Vector256<byte> scales, int place)
    {
        Vector256<byte> q = Vector256.Load(nibbles), nibble = Vector256.Create((byte)15);
        Vector256<short> low = Avx2.MultiplyAddAdjacent(q & nibble, Vector256.Load(x));
        Vector256<short> high = Avx2.MultiplyAddAdjacent((q.AsUInt16() >> 4).AsByte() & nibble, Vector256.Load(x + 32));
        return Avx2.MultiplyAddAdjacent(low, ScaleLanes.OfBytes(scales, place, place))
            + Avx2.MultiplyAddAdjacent(high, ScaleLanes.OfBytes(scales, place + 1, place + 1));
    }

    // Four sub-blocks: 64 bytes of nibbles, whose low ones are the first and the third, with 128 activations, put into that order. The order
    // costs nothing for several rows at once, because it is the same for all. (Broadcasting 32 bytes to both halves instead reads the wrong
    // address in .NET 10.0: the JIT scales the displacement of vbroadcasti64x4 by 16, the processor by 32.)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Quads(byte* nibbles, sbyte* x, Vector512<byte> scales, int place)
    {
        Vector512<byte> q = Vector512.Load(nibbles), nibble = Vector512.Create((byte)15);
        Vector512<byte> first = Vector512.Load((byte*)x), second = Vector512.Load((byte*)x + 64);
        Vector512<short> even = Avx512BW.MultiplyAddAdjacent(q & nibble, ScaleLanes.Lower(first, second).AsSByte());
        Vector512<short> odd = Avx512BW.MultiplyAddAdjacent(
            (q.AsUInt16() >> 4).AsByte() & nibble, ScaleLanes.Upper(first, second).AsSByte());
        return Avx512BW.MultiplyAddAdjacent(even, ScaleLanes.OfBytes(scales, place, place, place + 2, place + 2))
            + Avx512BW.MultiplyAddAdjacent(odd, ScaleLanes.OfBytes(scales, place + 1, place + 1, place + 3, place + 3));
    }

    /// <summary>All whole numbers from 0 to 15.</summary>
    private readonly struct Unsigned4 : ICodeRange
    {
        public static float Lowest => 0;

        public static float Highest => 15;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Round(values, Lowest, Highest);
    }
}
