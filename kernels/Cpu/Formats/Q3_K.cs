using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Q3_K: 256 values in 110 bytes, 3.4375 bits each; sixteen sub-blocks of 16 with a 6-bit scale s:
/// <c>w = d × (s − 32) × (q − 4)</c>, q in 0…7.
/// Layout: 32 bytes of third bits, 64 bytes of bit pairs, 12 bytes of scales, d f16. Bit pair k of byte 32h + i of the 64 belongs to value
/// 128h + 32k + i, and so does bit 4h + k of byte i of the 32. Scale j has its low 4 bits in byte j % 8 of the 12 (low nibble for j below 8,
/// else high) and its upper 2 in byte 8 + j % 4, as bit pair j / 4.
/// Bounds: a byte pair product is at most 2 × 7 × 127 = 1,778, times a scale of −32 and summed in pairs 113,792.
/// Source: llama.cpp, ggml-common.h and ggml-quants.c, block_q3_K; k-quants, llama.cpp pull request 1684.
/// </summary>
internal readonly unsafe struct Q3_K : IDotFormat
{
    private const int Bytes = 110, Pairs = 32, Scales = 96, D = 108;

    public static FormatInfo Info { get; } = new("Q3_K", 11, 256, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of256;

    public static int BlocksPerWideStep => 1;

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 256)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + D));
            for (int i = 0; i < 256; i++) values[i] = d * Scale(blocks, i / 16) * (Quant(blocks, i) - 4);
        }
    }

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* quants = x.Q + (256L * index);
        int sum = 0;
        for (int i = 0; i < 256; i++) sum += Scale(block, i / 16) * (Quant(block, i) - 4) * quants[i];
        return Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + D)) * x.D[index] * sum;
    }

    public static void Decode(byte* blocks, long blockCount, float* values)
    {
        if (!Isa.HasAvx2)
        {
            DecodeScalar(blocks, blockCount, values);
            return;
        }

        Vector256<byte> pair = Vector256.Create((byte)3), third = Vector256.Create((byte)4);
        for (; blockCount > 0; blockCount--, blocks += Bytes)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + D));
            Vector128<sbyte> scales = AllScales(blocks + Scales);
            sbyte* s = (sbyte*)&scales;
            Vector256<ushort> high = Vector256.Load((ushort*)blocks);
            for (int h = 0; h < 2; h++)
            {
                Vector256<ushort> q = Vector256.Load((ushort*)(blocks + Pairs + (32 * h)));
                for (int k = 0; k < 4; k++, q >>= 2, high >>= 1, s += 2, values += 32)
                {
                    Vector256<sbyte> quants = ((q.AsByte() & pair) | ((high << 2).AsByte() & third)).AsSByte() - Vector256.Create((sbyte)4);
                    Widening.Store(quants.GetLower(), d * s[0], values);
                    Widening.Store(quants.GetUpper(), d * s[1], values + 16);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum)
    {
        sbyte* quants = x.Q + (256L * index);
        Vector256<short> scales = Avx2.ConvertToVector256Int16(AllScales(block + Scales));
        Vector256<int> offsets = Avx2.MultiplyAddAdjacent(scales, Vector256.Load(x.S + (16L * index)));
        Vector256<ushort> h = Vector256.Load((ushort*)block);
        Vector256<int> products = Half(block + Pairs, h << 2, h << 1, h, h >> 1, quants, ScaleLanes.LowerTwice(scales))
            + Half(block + Pairs + 32, h >> 2, h >> 3, h >> 4, h >> 5, quants + 128, ScaleLanes.UpperTwice(scales)) - (offsets << 2);
        float d = x.D[index] * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + D));
        return Fma.MultiplyAdd(Avx.ConvertToVector256Single(products), Vector256.Create(d), sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Step(byte* block, in Q8Vector x, int index, Vector512<float> sum)
    {
        byte* a = (byte*)x.Q + (256L * index);
        Vector256<short> scales = Avx2.ConvertToVector256Int16(AllScales(block + Scales));
        Vector256<int> offsets = Avx2.MultiplyAddAdjacent(scales, Vector256.Load(x.S + (16L * index)));
        Vector512<short> s = scales.ToVector512Unsafe();
        // Bit pair k of the 64 bytes is quarter k of either half, so activations and third bits are put side by side in the same way.
        Vector512<ushort> q = Vector512.Load((ushort*)(block + Pairs));
        Vector512<int> once = Vector256.Load((int*)block).ToVector512Unsafe();
        Vector512<ushort> h = Avx512F.ShiftRightLogicalVariable(
            Avx512F.Shuffle4x128(once, once, 0b01_00_01_00).AsUInt64(), Vector512.Create(0UL, 0, 0, 0, 4, 4, 4, 4)).AsUInt16();
        Vector512<byte> a0 = Vector512.Load(a), a1 = Vector512.Load(a + 64), a2 = Vector512.Load(a + 128), a3 = Vector512.Load(a + 192);
        Vector512<int> products = Quarters(q, h << 2, ScaleLanes.Lower(a0, a2), s, 0)
            + Quarters(q >> 2, h << 1, ScaleLanes.Upper(a0, a2), s, 2) + Quarters(q >> 4, h, ScaleLanes.Lower(a1, a3), s, 4)
            + Quarters(q >> 6, h >> 1, ScaleLanes.Upper(a1, a3), s, 6) - (offsets << 2).ToVector512();
        float d = x.D[index] * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + D));
        return Avx512F.FusedMultiplyAdd(Avx512F.ConvertToVector512Single(products), Vector512.Create(d), sum);
    }

    public static InterleavedLayout Layout { get; } = new("Q3_K", 3, ScaleKind.Super, 4) { PerSixteen = true };

    public static Vector256<byte> StepCodes(byte* block, int step)
    {
        Vector256<ushort> pairs = Vector256.Load((ushort*)(block + Pairs + (step / 4 * 32))) >> (2 * (step % 4));
        Vector256<ushort> third = Vector256.Load((ushort*)block) >> step;
        return (pairs & Vector256.Create((ushort)0x0303)).AsByte() | ((third & Vector256.Create((ushort)0x0101)) << 2).AsByte();
    }

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => (Unsafe.ReadUnaligned<ushort>(block + D), 0);

    public static SubScales StepScales(byte* block, int step) => new((sbyte)Scale(block, 2 * step), (sbyte)Scale(block, (2 * step) + 1), 0, 0);

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        sbyte* codes = stackalloc sbyte[256];
        Span<sbyte> scales = stackalloc sbyte[16];
        SymmetricSuperBlock<Signed3> fit = new(subLength: 16, lowestScale: -32, highestScale: 31);
        for (long b = 0; b < blockCount; b++, blocks += Bytes)
        {
            ushort d = fit.Quantize(values + (256 * b), importance == null ? null : importance + (256 * b), scales, codes);
            new Span<byte>(blocks, Bytes).Clear();
            Unsafe.WriteUnaligned(blocks + D, d);
            for (int j = 0; j < 16; j++)
            {
                int s = scales[j] + 32;
                blocks[Scales + (j % 8)] |= (byte)((s & 15) << (j / 8 * 4));
                blocks[Scales + 8 + (j % 4)] |= (byte)(s >> 4 << (j / 4 * 2));
            }

            for (int i = 0; i < 256; i++)
            {
                int q = codes[i] + 4;
                blocks[i % 32] |= (byte)(q >> 2 << (i / 32));
                blocks[Pairs + (i / 128 * 32) + (i % 32)] |= (byte)((q & 3) << (i / 32 % 4 * 2));
            }
        }
    }

    private static int Quant(byte* block, int i) =>
        ((block[Pairs + (i / 128 * 32) + (i % 32)] >> (i / 32 % 4 * 2)) & 3) | (((block[i % 32] >> (i / 32)) & 1) << 2);

    private static int Scale(byte* block, int j) =>
        (((block[Scales + (j % 8)] >> (j / 8 * 4)) & 15) | (((block[Scales + 8 + (j % 4)] >> (j / 4 * 2)) & 3) << 4)) - 32;

    // All sixteen scales less 32, eight at a time in 64-bit words.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<sbyte> AllScales(byte* packed)
    {
        ulong nibbles = Unsafe.ReadUnaligned<ulong>(packed), pairs = Unsafe.ReadUnaligned<uint>(packed + 8), later = pairs >> 4;
        ulong low = (nibbles & 0x0f0f0f0f0f0f0f0f) | (((pairs | (pairs << 30)) & 0x0303030303030303) << 4);
        ulong high = ((nibbles >> 4) & 0x0f0f0f0f0f0f0f0f) | (((later | (later << 30)) & 0x0303030303030303) << 4);
        return Vector128.Create(low, high).AsSByte() - Vector128.Create((sbyte)32);
    }

    // Half a block: 32 bytes with 128 activations; bit 2 of h0…h3 is the third bit; the half's eight scales are in either lane.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Half(
        byte* pairs, Vector256<ushort> h0, Vector256<ushort> h1, Vector256<ushort> h2, Vector256<ushort> h3, sbyte* x, Vector256<short> scales)
    {
        Vector256<ushort> q = Vector256.Load((ushort*)pairs), pair = Vector256.Create((ushort)0x0303), third = Vector256.Create((ushort)0x0404);
        Vector256<byte> q0 = ((q & pair) | (h0 & third)).AsByte(), q1 = (((q >> 2) & pair) | (h1 & third)).AsByte();
        Vector256<byte> q2 = (((q >> 4) & pair) | (h2 & third)).AsByte(), q3 = (((q >> 6) & pair) | (h3 & third)).AsByte();
        return Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(q0, Vector256.Load(x)), ScaleLanes.OfWords(scales, 0, 1))
            + Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(q1, Vector256.Load(x + 32)), ScaleLanes.OfWords(scales, 2, 3))
            + Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(q2, Vector256.Load(x + 64)), ScaleLanes.OfWords(scales, 4, 5))
            + Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(q3, Vector256.Load(x + 96)), ScaleLanes.OfWords(scales, 6, 7));
    }

    // One quarter of either half; first is the scale of the first half's quarter, the second half's is eight behind.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Quarters(Vector512<ushort> q, Vector512<ushort> h, Vector512<byte> x, Vector512<short> scales, uint first)
    {
        Vector512<byte> quants = (q.AsByte() & Vector512.Create((byte)3)) | (h.AsByte() & Vector512.Create((byte)4));
        return Avx512BW.MultiplyAddAdjacent(
            Avx512BW.MultiplyAddAdjacent(quants, x.AsSByte()), ScaleLanes.OfWords(scales, first, first + 1, first + 8, first + 9));
    }

    /// <summary>All whole numbers from −4 to 3.</summary>
    private readonly struct Signed3 : ICodeRange
    {
        public static float Lowest => -4;

        public static float Highest => 3;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Round(values, Lowest, Highest);
    }
}
