using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 32 values in 24 bytes, <c>w = d × q + m</c>.
/// Bytes: 0 d, 2 m, binary16; 4…7 the fifth bits of q, value i in bit i of a little-endian word; 8…23 the lower four bits, of value i in the
/// low nibble of byte 8 + i, of value 16 + i in its high nibble.
/// Source: ggml, block_q5_1 in ggml-common.h and ggml-quants.c; ggml type 7.
/// </summary>
internal readonly unsafe struct Q5_1 : IAffineCodes
{
    private const int Bytes = 24, Fifth = 4, Packed = 8;

    public static FormatInfo Info { get; } = new("Q5_1", 7, 32, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of32;

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            float d = Scale(blocks), m = Minimum(blocks);
            for (int i = 0; i < 16; i++)
            {
                values[i] = (d * Low(blocks, i)) + m;
                values[16 + i] = (d * High(blocks, i)) + m;
            }
        }
    }

    public static void Decode(byte* blocks, long blockCount, float* values) => AffineCodes.Decode<Q5_1>(blocks, blockCount, values);

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* a = x.Q + (32 * index);
        int sum = 0;
        for (int i = 0; i < 16; i++) sum += (Low(block, i) * a[i]) + (High(block, i) * a[16 + i]);
        return x.D[index] * ((Scale(block) * sum) + (Minimum(block) * x.S[index]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum) =>
        AffineCodes.Step<Q5_1>(block, x, index, sum);

    public static InterleavedLayout Layout { get; } = new("Q5_1", 5, ScaleKind.Half, 0) { HasMinimums = true };

    public static Vector256<byte> StepCodes(byte* block, int step) => Codes(block);

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => (Unsafe.ReadUnaligned<ushort>(block), Unsafe.ReadUnaligned<ushort>(block + 2));

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        byte* codes = stackalloc byte[32];
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            Unsafe.WriteUnaligned(blocks, AffineSearch.Quantize(values, importance, 31, codes));
            uint fifth = 0;
            for (int i = 0; i < 16; i++)
            {
                blocks[Packed + i] = (byte)((codes[i] & 15) | (codes[16 + i] << 4));
                fifth |= ((uint)codes[i] >> 4 << i) | ((uint)codes[16 + i] >> 4 << (16 + i));
            }

            Unsafe.WriteUnaligned(blocks + Fifth, fifth);
            if (importance != null) importance += 32;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(byte* block) => Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Minimum(byte* block) => Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Codes(byte* block) => ByteCodes.FiveBits(block + Packed, block + Fifth);

    private static int Low(byte* block, int i) => (block[Packed + i] & 15) | ((Word(block) >> i & 1) << 4);

    private static int High(byte* block, int i) => (block[Packed + i] >> 4) | ((Word(block) >> (16 + i) & 1) << 4);

    private static int Word(byte* block) => Unsafe.ReadUnaligned<int>(block + Fifth);
}
