using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 32 values in 18 bytes, <c>w = d × (q − 8)</c>.
/// Bytes: 0 d, binary16; 2…17 q, of value i in the low nibble of byte 2 + i, of value 16 + i in its high nibble.
/// Source: ggml, block_q4_0 in ggml-common.h and ggml-quants.c; ggml type 2.
/// </summary>
internal readonly unsafe struct Q4_0 : IByteCodes
{
    private const int Bytes = 18, Packed = 2;

    public static FormatInfo Info { get; } = new("Q4_0", 2, 32, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of32;

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            float d = Scale(blocks);
            for (int i = 0; i < 16; i++)
            {
                values[i] = d * ((blocks[Packed + i] & 15) - 8);
                values[16 + i] = d * ((blocks[Packed + i] >> 4) - 8);
            }
        }
    }

    public static void Decode(byte* blocks, long blockCount, float* values) => ByteCodes.Decode<Q4_0>(blocks, blockCount, values);

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* a = x.Q + (32 * index);
        int sum = 0;
        for (int i = 0; i < 16; i++)
            sum += (((block[Packed + i] & 15) - 8) * a[i]) + (((block[Packed + i] >> 4) - 8) * a[16 + i]);
        return Scale(block) * x.D[index] * sum;
    }

    // Σ(q − 8)a = Σqa − 8Σa.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum)
    {
        Vector256<int> products = ByteDot.AddUnsigned(
            ByteDot.Offset(x.S + index, 1, 1), ByteCodes.Nibbles(block + Packed), Vector256.Load(x.Q + (32 * index)));
        return ByteDot.Accumulate(products, ScaleLanes(block), x.D + index, sum);
    }

    public static InterleavedLayout Layout { get; } = new("Q4_0", 4, ScaleKind.Half, 8);

    public static Vector256<byte> StepCodes(byte* block, int step) => ByteCodes.Nibbles(block + Packed);

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => (Unsafe.ReadUnaligned<ushort>(block), 0);

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        sbyte* codes = stackalloc sbyte[32];
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            ushort d = ScaleSearch.Quantize<Signed4>(values, importance, codes);
            Unsafe.WriteUnaligned(blocks, d);
            for (int i = 0; i < 16; i++) blocks[Packed + i] = (byte)((codes[i] + 8) | ((codes[16 + i] + 8) << 4));
            if (importance != null) importance += 32;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(byte* block) => Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> ScaleLanes(byte* block) => Float16.Broadcast256(block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Codes(byte* block) => ByteCodes.Nibbles(block + Packed).AsSByte() - Vector256.Create((sbyte)8);
}
