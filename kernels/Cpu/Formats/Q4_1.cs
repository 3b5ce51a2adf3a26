using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 32 values in 20 bytes, <c>w = d × q + m</c>.
/// Bytes: 0 d, 2 m, binary16; 4…19 q, of value i in the low nibble of byte 4 + i, of value 16 + i in its high nibble.
/// Source: ggml, block_q4_1 in ggml-common.h and ggml-quants.c; ggml type 3.
/// </summary>
internal readonly unsafe struct Q4_1 : IAffineCodes
{
    private const int Bytes = 20, Packed = 4;

    public static FormatInfo Info { get; } = new("Q4_1", 3, 32, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of32;

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            float d = Scale(blocks), m = Minimum(blocks);
            for (int i = 0; i < 16; i++)
            {
                values[i] = (d * (blocks[Packed + i] & 15)) + m;
                values[16 + i] = (d * (blocks[Packed + i] >> 4)) + m;
            }
        }
    }

    public static void Decode(byte* blocks, long blockCount, float* values) => AffineCodes.Decode<Q4_1>(blocks, blockCount, values);

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* a = x.Q + (32 * index);
        int sum = 0;
        for (int i = 0; i < 16; i++) sum += ((block[Packed + i] & 15) * a[i]) + ((block[Packed + i] >> 4) * a[16 + i]);
        return x.D[index] * ((Scale(block) * sum) + (Minimum(block) * x.S[index]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum) =>
        AffineCodes.Step<Q4_1>(block, x, index, sum);

    public static InterleavedLayout Layout { get; } = new("Q4_1", 4, ScaleKind.Half, 0) { HasMinimums = true };

    public static Vector256<byte> StepCodes(byte* block, int step) => Codes(block);

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => (Unsafe.ReadUnaligned<ushort>(block), Unsafe.ReadUnaligned<ushort>(block + 2));

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        byte* codes = stackalloc byte[32];
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            Unsafe.WriteUnaligned(blocks, AffineSearch.Quantize(values, importance, 15, codes));
            for (int i = 0; i < 16; i++) blocks[Packed + i] = (byte)(codes[i] | (codes[16 + i] << 4));
            if (importance != null) importance += 32;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(byte* block) => Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Minimum(byte* block) => Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block + 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Codes(byte* block) => ByteCodes.Nibbles(block + Packed);
}
