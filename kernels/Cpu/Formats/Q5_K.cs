using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Q5_K: 256 values in 176 bytes, 5.5 bits each; eight sub-blocks of 32 with a 6-bit scale s and a 6-bit minimum m:
/// <c>w = d × s × q − dmin × m</c>, q in 0…31.
/// Layout: d f16, dmin f16, 12 bytes of scales and minimums (<see cref="SixBitScales"/>), 32 bytes of fifth bits (bit j of byte i belongs to
/// value i of sub-block j), 4 × 32 bytes of nibbles: the low nibbles of 32 bytes are sub-block 2j, the high ones 2j + 1.
/// Bounds: a byte pair product is at most 2 × 31 × 127 = 7,874, times a scale of 63 and summed in pairs 992,124.
/// Source: llama.cpp, ggml-common.h and ggml-quants.c, block_q5_K; k-quants, llama.cpp pull request 1684.
/// </summary>
internal readonly unsafe struct Q5_K : IDotFormat
{
    private const int Bytes = 176, High = 16, Low = 48;

    public static FormatInfo Info { get; } = new("Q5_K", 13, 256, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of256;

    public static int BlocksPerWideStep => 1;

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 256)
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

        Vector256<ushort> nibble = Vector256.Create((ushort)0x0f0f), fifth = Vector256.Create((ushort)0x1010);
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 256)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            float dmin = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + 2));
            Vector128<byte> scales = SixBitScales.Load(blocks + 4);
            byte* s = (byte*)&scales;
            // Bits 2j and 2j + 1 of h are moved to bit 4: the first four sub-blocks' to the left, the others' to the right.
            Vector256<ushort> h = Vector256.Load((ushort*)(blocks + High));
            for (int j = 0; j < 4; j++)
            {
                Vector256<ushort> q = Vector256.Load((ushort*)(blocks + Low + (32 * j)));
                int place = SixBitScales.Place(2 * j);
                Store((q & nibble) | ((h << 4) & fifth), d * s[place], dmin * s[place + 4], values + (64 * j));
                Store(((q >> 4) & nibble) | ((h << 3) & fifth), d * s[place + 1], dmin * s[place + 5], values + (64 * j) + 32);
                h >>= 2;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum)
    {
        sbyte* quants = x.Q + (256L * index);
        Vector128<byte> packed = SixBitScales.Load(block + 4);
        Vector256<byte> scales = Vector256.Create(packed, packed);
        Vector256<ushort> h = Vector256.Load((ushort*)(block + High));
        Vector256<int> products = Pair(block + Low, h << 4, h << 3, quants, scales, 0)
            + Pair(block + Low + 32, h << 2, h << 1, quants + 64, scales, 2)
            + Pair(block + Low + 64, h, h >> 1, quants + 128, scales, 8)
            + Pair(block + Low + 96, h >> 2, h >> 3, quants + 192, scales, 10);
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
        // 64 bytes of nibbles are sub-blocks j and j + 2 (low), j + 1 and j + 3 (high): each half has its own bit of h to move to bit 4.
        Vector512<int> once = Vector256.Load((int*)(block + High)).ToVector512Unsafe();
        Vector512<ulong> h = Avx512F.Shuffle4x128(once, once, 0b01_00_01_00).AsUInt64();
        Vector512<int> products = Quads(
                block + Low, Avx512F.ShiftLeftLogicalVariable(h, Vector512.Create(4UL, 4, 4, 4, 2, 2, 2, 2)),
                Avx512F.ShiftLeftLogicalVariable(h, Vector512.Create(3UL, 3, 3, 3, 1, 1, 1, 1)), quants, scales, 0)
            + Quads(
                block + Low + 64, Avx512F.ShiftRightLogicalVariable(h, Vector512.Create(0UL, 0, 0, 0, 2, 2, 2, 2)),
                Avx512F.ShiftRightLogicalVariable(h, Vector512.Create(1UL, 1, 1, 1, 3, 3, 3, 3)), quants + 128, scales, 8);
        Vector512<int> minimums = SixBitScales.Minimums(scales.GetLower(), x.S + (16L * index)).ToVector512();
        float scale = x.D[index];
        float d = scale * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));
        float dmin = scale * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + 2));
        sum = Avx512F.FusedMultiplyAdd(Avx512F.ConvertToVector512Single(products), Vector512.Create(d), sum);
        return Avx512F.FusedMultiplyAddNegated(Avx512F.ConvertToVector512Single(minimums), Vector512.Create(dmin), sum);
    }

    public static InterleavedLayout Layout { get; } = new("Q5_K", 5, ScaleKind.Super, 0) { HasMinimums = true };

    public static Vector256<byte> StepCodes(byte* block, int step)
    {
        Vector256<byte> nibbles = (Vector256.Load((ushort*)(block + Low + (step / 2 * 32))) >> (4 * (step & 1))).AsByte() & Vector256.Create((byte)15);
        Vector256<byte> fifth = (Vector256.Load((ushort*)(block + High)) >> step).AsByte() & Vector256.Create((byte)1);
        return nibbles | (fifth.AsUInt16() << 4).AsByte();
    }

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
        AffineSuperBlock<Unsigned5> fit = new(subLength: 32, highestScale: 63);
        for (long b = 0; b < blockCount; b++, blocks += Bytes)
        {
            (ushort d, ushort dmin) = fit.Quantize(
                values + (256 * b), importance == null ? null : importance + (256 * b), scales, minimums, quants);
            Unsafe.WriteUnaligned(blocks, d);
            Unsafe.WriteUnaligned(blocks + 2, dmin);
            SixBitScales.Store(scales, minimums, blocks + 4);
            new Span<byte>(blocks + High, 32).Clear();
            for (int i = 0; i < 256; i++) blocks[High + (i % 32)] |= (byte)(quants[i] >> 4 << (i / 32));
            for (int i = 0; i < 128; i++)
            {
                byte* pair = quants + (i / 32 * 64) + (i % 32);
                blocks[Low + i] = (byte)((pair[0] & 15) | (pair[32] << 4));
            }
        }
    }

    private static int Quant(byte* block, int subBlock, int i) =>
        ((block[Low + (subBlock / 2 * 32) + i] >> (4 * (subBlock & 1))) & 15) | (((block[High + i] >> subBlock) & 1) << 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<ushort> quants, float scale, float offset, float* values)
    {
        Widening.Store(quants.GetLower().AsByte(), scale, offset, values);
        Widening.Store(quants.GetUpper().AsByte(), scale, offset, values + 16);
    }

    // Two sub-blocks: 32 bytes of nibbles with 64 activations; bit 4 of h0 and h1 is the fifth bit. place: where the first scale is.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Pair(
        byte* nibbles, Vector256<ushort> h0, Vector256<ushort> h1, sbyte* x, Vector256<byte> scales, int place)
    {
        Vector256<ushort> q = Vector256.Load((ushort*)nibbles), nibble = Vector256.Create((ushort)0x0f0f), fifth = Vector256.Create((ushort)0x1010);
        Vector256<byte> low = ((q & nibble) | (h0 & fifth)).AsByte(), high = (((q >> 4) & nibble) | (h1 & fifth)).AsByte();
        return Avx2.MultiplyAddAdjacent(
                Avx2.MultiplyAddAdjacent(low, Vector256.Load(x)), ScaleLanes.OfBytes(scales, place, place))
            + Avx2.MultiplyAddAdjacent(
                Avx2.MultiplyAddAdjacent(high, Vector256.Load(x + 32)), ScaleLanes.OfBytes(scales, place + 1, place + 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Quads(
        byte* nibbles, Vector512<ulong> h0, Vector512<ulong> h1, sbyte* x, Vector512<byte> scales, int place)
    {
        Vector512<ushort> q = Vector512.Load((ushort*)nibbles);
        Vector512<byte> nibble = Vector512.Create((byte)15), fifth = Vector512.Create((byte)16);
        Vector512<byte> first = Vector512.Load((byte*)x), second = Vector512.Load((byte*)x + 64);
        Vector512<byte> even = (q.AsByte() & nibble) | (h0.AsByte() & fifth), odd = ((q >> 4).AsByte() & nibble) | (h1.AsByte() & fifth);
        return Avx512BW.MultiplyAddAdjacent(
                Avx512BW.MultiplyAddAdjacent(even, ScaleLanes.Lower(first, second).AsSByte()),
                ScaleLanes.OfBytes(scales, place, place, place + 2, place + 2))
            + Avx512BW.MultiplyAddAdjacent(
                Avx512BW.MultiplyAddAdjacent(odd, ScaleLanes.Upper(first, second).AsSByte()),
                ScaleLanes.OfBytes(scales, place + 1, place + 1, place + 3, place + 3));
    }

    /// <summary>All whole numbers from 0 to 31.</summary>
    private readonly struct Unsigned5 : ICodeRange
    {
        public static float Lowest => 0;

        public static float Highest => 31;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Round(values, Lowest, Highest);
    }
}
