using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Q6_K: 256 values in 210 bytes, 6.5625 bits each; sixteen sub-blocks of 16 with a signed byte as scale s:
/// <c>w = d × s × (q − 32)</c>, q in 0…63.
/// Layout: 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 scales, d f16. Half h (128 values, four quarters of 32) has the
/// nibbles in bytes 64h…: quarters 0 and 1 are the low nibbles of the two 32-byte runs, quarters 2 and 3 the high ones; bit pair k of
/// byte 128 + 32h + i belongs to value i of quarter k.
/// Bounds: a byte pair product is at most 2 × 63 × 127 = 16,002, times a scale of −128 and summed in pairs 4,096,512.
/// Source: llama.cpp, ggml-common.h and ggml-quants.c, block_q6_K; k-quants, llama.cpp pull request 1684.
/// </summary>
internal readonly unsafe struct Q6_K : IDotFormat
{
    public static FormatInfo Info { get; } = new("Q6_K", 14, 256, 210);

    public static ActivationKind Activation => ActivationKind.Q8Of256;

    public static int BlocksPerWideStep => 1;

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += 210, values += 256)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + 208));
            for (int i = 0; i < 256; i++) values[i] = d * (sbyte)blocks[192 + (i / 16)] * (Quant(blocks, i) - 32);
        }
    }

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* quants = x.Q + (256L * index);
        int sum = 0;
        for (int i = 0; i < 256; i++) sum += (sbyte)block[192 + (i / 16)] * (Quant(block, i) - 32) * quants[i];
        return Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + 208)) * x.D[index] * sum;
    }

    public static void Decode(byte* blocks, long blockCount, float* values)
    {
        if (!Isa.HasAvx2)
        {
            DecodeScalar(blocks, blockCount, values);
            return;
        }

        for (; blockCount > 0; blockCount--, blocks += 210, values += 256)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + 208));
            for (int h = 0; h < 2; h++)
            {
                (Vector256<byte> q0, Vector256<byte> q1, Vector256<byte> q2, Vector256<byte> q3) =
                    Half(blocks + (64 * h), blocks + 128 + (32 * h));
                sbyte* scales = (sbyte*)(blocks + 192 + (8 * h));
                float* half = values + (128 * h);
                Store(q0, d, scales, half);
                Store(q1, d, scales + 2, half + 32);
                Store(q2, d, scales + 4, half + 64);
                Store(q3, d, scales + 6, half + 96);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum)
    {
        sbyte* quants = x.Q + (256L * index);
        Vector256<short> scales = Avx2.ConvertToVector256Int16((sbyte*)(block + 192));
        Vector256<int> offsets = Avx2.MultiplyAddAdjacent(scales, Vector256.Load(x.S + (16L * index)));
        Vector256<int> products = Products(block, block + 128, ScaleLanes.LowerTwice(scales), quants)
            + Products(block + 64, block + 160, ScaleLanes.UpperTwice(scales), quants + 128) - (offsets << 5);
        float d = x.D[index] * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + 208));
        return Fma.MultiplyAdd(Avx.ConvertToVector256Single(products), Vector256.Create(d), sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Step(byte* block, in Q8Vector x, int index, Vector512<float> sum)
    {
        sbyte* quants = x.Q + (256L * index);
        Vector256<short> scales = Avx2.ConvertToVector256Int16((sbyte*)(block + 192));
        Vector256<int> offsets = Avx2.MultiplyAddAdjacent(scales, Vector256.Load(x.S + (16L * index)));
        Vector512<short> wide = scales.ToVector512Unsafe();
        // Each half's bit pairs twice, side by side.
        Vector512<byte> pairs = Vector512.Load(block + 128);
        Vector512<int> products = Products512(block, ScaleLanes.Lower(pairs, pairs), wide, quants, 0)
            + Products512(block + 64, ScaleLanes.Upper(pairs, pairs), wide, quants + 128, 8)
            - (offsets << 5).ToVector512();
        float d = x.D[index] * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + 208));
        return Avx512F.FusedMultiplyAdd(Avx512F.ConvertToVector512Single(products), Vector512.Create(d), sum);
    }

    public static InterleavedLayout Layout { get; } = new("Q6_K", 6, ScaleKind.Super, 32) { PerSixteen = true };

    public static Vector256<byte> StepCodes(byte* block, int step)
    {
        int half = step / 4, quarter = step % 4;
        Vector256<ushort> low = Vector256.Load((ushort*)(block + (64 * half) + (32 * (quarter & 1)))) >> (4 * (quarter >> 1));
        Vector256<ushort> high = Vector256.Load((ushort*)(block + 128 + (32 * half))) >> (2 * quarter);
        return (low & Vector256.Create((ushort)0x0f0f)).AsByte() | ((high & Vector256.Create((ushort)0x0303)) << 4).AsByte();
    }

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => (Unsafe.ReadUnaligned<ushort>(block + 208), 0);

    public static SubScales StepScales(byte* block, int step) => new((sbyte)block[192 + (2 * step)], (sbyte)block[193 + (2 * step)], 0, 0);

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        sbyte* quants = stackalloc sbyte[256];
        SymmetricSuperBlock<Signed6> fit = new(subLength: 16, lowestScale: -128, highestScale: 127);
        for (long b = 0; b < blockCount; b++, blocks += 210)
        {
            ushort d = fit.Quantize(
                values + (256 * b), importance == null ? null : importance + (256 * b), new Span<sbyte>(blocks + 192, 16), quants);
            Unsafe.WriteUnaligned(blocks + 208, d);
            for (int h = 0; h < 2; h++)
            {
                sbyte* q = quants + (128 * h);
                for (int i = 0; i < 64; i++)
                    blocks[(64 * h) + i] = (byte)(((q[i] + 32) & 15) | (((q[i + 64] + 32) & 15) << 4));
                for (int i = 0; i < 32; i++)
                {
                    blocks[128 + (32 * h) + i] = (byte)(((q[i] + 32) >> 4) | ((q[i + 32] + 32) >> 4 << 2)
                        | ((q[i + 64] + 32) >> 4 << 4) | ((q[i + 96] + 32) >> 4 << 6));
                }
            }
        }
    }

    private static int Quant(byte* block, int i)
    {
        int half = i / 128, quarter = i / 32 % 4, j = i % 32;
        int low = block[(64 * half) + (32 * (quarter & 1)) + j] >> (4 * (quarter >> 1));
        return (low & 15) | (((block[128 + (32 * half) + j] >> (2 * quarter)) & 3) << 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<byte> quants, float d, sbyte* scales, float* values)
    {
        Vector256<sbyte> q = quants.AsSByte() - Vector256.Create((sbyte)32);
        Widening.Store(q.GetLower(), d * scales[0], values);
        Widening.Store(q.GetUpper(), d * scales[1], values + 16);
    }

    // The four quarters of a half as bytes 0…63.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<byte> Q0, Vector256<byte> Q1, Vector256<byte> Q2, Vector256<byte> Q3) Half(byte* nibbles, byte* pairs)
    {
        Vector256<ushort> a = Vector256.Load((ushort*)nibbles), b = Vector256.Load((ushort*)(nibbles + 32)), h = Vector256.Load((ushort*)pairs);
        Vector256<ushort> low = Vector256.Create((ushort)0x0f0f), high = Vector256.Create((ushort)0x3030);
        return (((a & low) | ((h << 4) & high)).AsByte(), ((b & low) | ((h << 2) & high)).AsByte(),
            (((a >> 4) & low) | (h & high)).AsByte(), (((b >> 4) & low) | ((h >> 2) & high)).AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Products(byte* nibbles, byte* pairs, Vector256<short> scales, sbyte* x)
    {
        (Vector256<byte> q0, Vector256<byte> q1, Vector256<byte> q2, Vector256<byte> q3) = Half(nibbles, pairs);
        return Quarter(q0, x, scales, 0) + Quarter(q1, x + 32, scales, 2) + Quarter(q2, x + 64, scales, 4) + Quarter(q3, x + 96, scales, 6);
    }

    // scales has the eight scales of the half in each 128-bit lane; first is the quarter's first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Quarter(Vector256<byte> quants, sbyte* x, Vector256<short> scales, uint first) =>
        Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(quants, Vector256.Load(x)), ScaleLanes.OfWords(scales, first, first + 1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Products512(byte* nibbles, Vector512<byte> pairs, Vector512<short> scales, sbyte* x, uint first)
    {
        Vector512<byte> n = Vector512.Load(nibbles), low = Vector512.Create((byte)15), high = Vector512.Create((byte)0x30);
        // Each half is shifted to its own bit pair; bits that cross into a neighbour byte are masked away.
        Vector512<byte> left = Avx512F.ShiftLeftLogicalVariable(pairs.AsUInt64(), Vector512.Create(4UL, 4, 4, 4, 2, 2, 2, 2)).AsByte();
        Vector512<byte> right = Avx512F.ShiftRightLogicalVariable(pairs.AsUInt64(), Vector512.Create(0UL, 0, 0, 0, 2, 2, 2, 2)).AsByte();
        Vector512<byte> quarters01 = (n & low) | (left & high);
        Vector512<byte> quarters23 = ((n.AsUInt16() >> 4).AsByte() & low) | (right & high);
        return Quarters(quarters01, x, scales, first) + Quarters(quarters23, x + 64, scales, first + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Quarters(Vector512<byte> quants, sbyte* x, Vector512<short> scales, uint first) =>
        Avx512BW.MultiplyAddAdjacent(
            Avx512BW.MultiplyAddAdjacent(quants, Vector512.Load(x)), ScaleLanes.OfWords(scales, first, first + 1, first + 2, first + 3));

    /// <summary>All whole numbers from −32 to 31.</summary>
    private readonly struct Signed6 : ICodeRange
    {
        public static float Lowest => -32;

        public static float Highest => 31;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Round(values, Lowest, Highest);
    }
}
