using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// IQ4_XS: 256 values in 136 bytes, 4.25 bits each; eight sub-blocks of 32 with a 6-bit scale s and the sixteen codes of
/// <see cref="IQ4_NL"/>: <c>w = d × (s − 32) × codebook[q]</c>.
/// Layout: d f16; 16 bits with bits 4 and 5 of scale j in bit pair j; 4 bytes with its low 4 bits in nibble j; 8 × 16 bytes of nibbles: the
/// low nibbles of 16 bytes are values 0…15 of a sub-block, the high ones 16…31.
/// Bounds: a byte pair product is at most 2 × 127 × 127 = 32,258, times a scale of −32 and summed in pairs 2,064,512.
/// Source: llama.cpp, ggml-common.h and ggml-quants.c, block_iq4_xs; llama.cpp pull request 5747.
/// </summary>
internal readonly unsafe struct IQ4_XS : IDotFormat
{
    private const int Bytes = 136, ScalesHigh = 2, ScalesLow = 4, Nibbles = 8;

    public static FormatInfo Info { get; } = new("IQ4_XS", 23, 256, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of256;

    public static int BlocksPerWideStep => 1;

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 256)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int j = 0; j < 8; j++)
            {
                float step = d * Scale(blocks, j);
                for (int i = 0; i < 32; i++) values[(32 * j) + i] = step * Code(blocks, j, i);
            }
        }
    }

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* quants = x.Q + (256L * index);
        int products = 0;
        for (int j = 0; j < 8; j++)
        {
            int sum = 0;
            for (int i = 0; i < 32; i++) sum += Code(block, j, i) * quants[(32 * j) + i];
            products += Scale(block, j) * sum;
        }

        return Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block)) * x.D[index] * products;
    }

    public static void Decode(byte* blocks, long blockCount, float* values)
    {
        if (!Isa.HasAvx2)
        {
            DecodeScalar(blocks, blockCount, values);
            return;
        }

        Vector128<sbyte> codebook = Vector128.Create(IQ4_NL.Codebook);
        Vector128<byte> nibble = Vector128.Create((byte)15);
        for (; blockCount > 0; blockCount--, blocks += Bytes)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int j = 0; j < 8; j++, values += 32)
            {
                Vector128<byte> q = Vector128.Load(blocks + Nibbles + (16 * j));
                float step = d * Scale(blocks, j);
                Widening.Store(Ssse3.Shuffle(codebook, (q & nibble).AsSByte()), step, values);
                Widening.Store(Ssse3.Shuffle(codebook, ((q.AsUInt16() >> 4).AsByte() & nibble).AsSByte()), step, values + 16);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum)
    {
        sbyte* quants = x.Q + (256L * index);
        Vector256<short> scales = AllScales(block), lower = ScaleLanes.LowerTwice(scales), upper = ScaleLanes.UpperTwice(scales);
        Vector256<int> products = Pair(block + Nibbles, quants, ScaleLanes.OfWords(lower, 0, 2))
            + Pair(block + Nibbles + 32, quants + 64, ScaleLanes.OfWords(lower, 4, 6))
            + Pair(block + Nibbles + 64, quants + 128, ScaleLanes.OfWords(upper, 0, 2))
            + Pair(block + Nibbles + 96, quants + 192, ScaleLanes.OfWords(upper, 4, 6));
        float d = x.D[index] * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));
        return Fma.MultiplyAdd(Avx.ConvertToVector256Single(products), Vector256.Create(d), sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Step(byte* block, in Q8Vector x, int index, Vector512<float> sum)
    {
        sbyte* quants = x.Q + (256L * index);
        Vector512<short> scales = AllScales(block).ToVector512Unsafe();
        Vector512<int> products = Quads(block + Nibbles, quants, ScaleLanes.OfWords(scales, 0, 2, 4, 6))
            + Quads(block + Nibbles + 64, quants + 128, ScaleLanes.OfWords(scales, 8, 10, 12, 14));
        float d = x.D[index] * Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));
        return Avx512F.FusedMultiplyAdd(Avx512F.ConvertToVector512Single(products), Vector512.Create(d), sum);
    }

    public static InterleavedLayout Layout { get; } = new("IQ4_XS", 4, ScaleKind.Super, 128) { Codebook = IQ4_NL.RaisedCodebook };

    public static Vector256<byte> StepCodes(byte* block, int step) => ByteCodes.Nibbles(block + Nibbles + (16 * step));

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => (Unsafe.ReadUnaligned<ushort>(block), 0);

    public static SubScales StepScales(byte* block, int step) => new((sbyte)Scale(block, step), 0, 0, 0);

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        sbyte* codes = stackalloc sbyte[256];
        Span<sbyte> scales = stackalloc sbyte[8];
        SymmetricSuperBlock<IQ4_NL.UnevenCodes> fit = new(subLength: 32, lowestScale: -32, highestScale: 31);
        for (long b = 0; b < blockCount; b++, blocks += Bytes)
        {
            ushort d = fit.Quantize(values + (256 * b), importance == null ? null : importance + (256 * b), scales, codes);
            new Span<byte>(blocks, Bytes).Clear();
            Unsafe.WriteUnaligned(blocks, d);
            for (int j = 0; j < 8; j++)
            {
                int s = scales[j] + 32;
                blocks[ScalesHigh + (j / 4)] |= (byte)(s >> 4 << (j % 4 * 2));
                blocks[ScalesLow + (j / 2)] |= (byte)((s & 15) << (j % 2 * 4));
            }

            for (int i = 0; i < 128; i++)
            {
                sbyte* pair = codes + (i / 16 * 32) + (i % 16);
                blocks[Nibbles + i] = (byte)(IQ4_NL.Codebook.IndexOf(pair[0]) | (IQ4_NL.Codebook.IndexOf(pair[16]) << 4));
            }
        }
    }

    private static int Code(byte* block, int subBlock, int i) =>
        IQ4_NL.Codebook[(block[Nibbles + (16 * subBlock) + (i % 16)] >> (i / 16 * 4)) & 15];

    private static int Scale(byte* block, int j) =>
        (((block[ScalesLow + (j / 2)] >> (j % 2 * 4)) & 15) | (((block[ScalesHigh + (j / 4)] >> (j % 4 * 2)) & 3) << 4)) - 32;

    // Scale j less 32 in 32-bit lane j, of which the lower word is used.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> AllScales(byte* block)
    {
        Vector256<uint> low = Vector256.Create(Unsafe.ReadUnaligned<uint>(block + ScalesLow));
        Vector256<uint> high = Vector256.Create((uint)Unsafe.ReadUnaligned<ushort>(block + ScalesHigh) << 4);
        low = Avx2.ShiftRightLogicalVariable(low, Vector256.Create(0u, 4, 8, 12, 16, 20, 24, 28)) & Vector256.Create(0x0fu);
        high = Avx2.ShiftRightLogicalVariable(high, Vector256.Create(0u, 2, 4, 6, 8, 10, 12, 14)) & Vector256.Create(0x30u);
        return ((low | high).AsInt32() - Vector256.Create(32)).AsInt16();
    }

    // Two sub-blocks: 32 bytes of nibbles, whose lanes are a sub-block each, with 64 activations, put into that order. vpmaddubsw wants one
    // unsigned factor: that is the activation's magnitude, whose sign goes to the code; both are the same for several rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Pair(byte* nibbles, sbyte* x, Vector256<short> scales)
    {
        Vector256<byte> q = Vector256.Load(nibbles), nibble = Vector256.Create((byte)15);
        Vector256<sbyte> codebook = Vector256.Create(
            -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
            -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
        Vector256<sbyte> x0 = Vector256.Load(x), x1 = Vector256.Load(x + 32);
        Vector256<sbyte> first = Avx2.Permute2x128(x0, x1, 0x20), second = Avx2.Permute2x128(x0, x1, 0x31);
        Vector256<sbyte> low = Avx2.Sign(Avx2.Shuffle(codebook, (q & nibble).AsSByte()), first);
        Vector256<sbyte> high = Avx2.Sign(Avx2.Shuffle(codebook, ((q.AsUInt16() >> 4).AsByte() & nibble).AsSByte()), second);
        return Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(Avx2.Abs(first), low), scales)
            + Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(Avx2.Abs(second), high), scales);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Quads(byte* nibbles, sbyte* x, Vector512<short> scales)
    {
        Vector512<byte> q = Vector512.Load(nibbles), nibble = Vector512.Create((byte)15);
        Vector512<sbyte> codebook = Vector512.Create(
            -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
            -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
            -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
            -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
        Vector512<int> x0 = Vector512.Load((int*)x), x1 = Vector512.Load((int*)(x + 64));
        Vector512<sbyte> first = Avx512F.Shuffle4x128(x0, x1, 0b10_00_10_00).AsSByte();
        Vector512<sbyte> second = Avx512F.Shuffle4x128(x0, x1, 0b11_01_11_01).AsSByte();
        Vector512<sbyte> low = Avx512BW.Shuffle(codebook, (q & nibble).AsSByte());
        Vector512<sbyte> high = Avx512BW.Shuffle(codebook, ((q.AsUInt16() >> 4).AsByte() & nibble).AsSByte());
        // There is no 512-bit vpsignb.
        low = Vector512.ConditionalSelect(Vector512.LessThan(first, Vector512<sbyte>.Zero), -low, low);
        high = Vector512.ConditionalSelect(Vector512.LessThan(second, Vector512<sbyte>.Zero), -high, high);
        return Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(Avx512BW.Abs(first), low), scales)
            + Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(Avx512BW.Abs(second), high), scales);
    }
}
