using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 32 values in 22 bytes, <c>w = d × (q − 16)</c>.
/// Bytes: 0 d, binary16; 2…5 the fifth bits of q, value i in bit i of a little-endian word; 6…21 the lower four bits, of value i in the low
/// nibble of byte 6 + i, of value 16 + i in its high nibble.
/// Source: ggml, block_q5_0 in ggml-common.h and ggml-quants.c; ggml type 6.
/// </summary>
internal readonly unsafe struct Q5_0 : IByteCodes
{
    private const int Bytes = 22, Fifth = 2, Packed = 6;

    public static FormatInfo Info { get; } = new("Q5_0", 6, 32, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of32;

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            float d = Scale(blocks);
            for (int i = 0; i < 16; i++)
            {
                values[i] = d * Low(blocks, i);
                values[16 + i] = d * High(blocks, i);
            }
        }
    }

    public static void Decode(byte* blocks, long blockCount, float* values) => ByteCodes.Decode<Q5_0>(blocks, blockCount, values);

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* a = x.Q + (32 * index);
        int sum = 0;
        for (int i = 0; i < 16; i++) sum += (Low(block, i) * a[i]) + (High(block, i) * a[16 + i]);
        return Scale(block) * x.D[index] * sum;
    }

    // Σ(q − 16)a = Σqa − 16Σa.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum)
    {
        Vector256<int> products = ByteDot.AddUnsigned(
            ByteDot.Offset(x.S + index, 2, 2), ByteCodes.FiveBits(block + Packed, block + Fifth), Vector256.Load(x.Q + (32 * index)));
        return ByteDot.Accumulate(products, ScaleLanes(block), x.D + index, sum);
    }

    public static InterleavedLayout Layout { get; } = new("Q5_0", 5, ScaleKind.Half, 16);

    public static Vector256<byte> StepCodes(byte* block, int step) => ByteCodes.FiveBits(block + Packed, block + Fifth);

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => (Unsafe.ReadUnaligned<ushort>(block), 0);

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        sbyte* codes = stackalloc sbyte[32];
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            ushort d = ScaleSearch.Quantize<Signed5>(values, importance, codes);
            Unsafe.WriteUnaligned(blocks, d);
            uint fifth = 0;
            for (int i = 0; i < 16; i++)
            {
                int low = codes[i] + 16, high = codes[16 + i] + 16;
                blocks[Packed + i] = (byte)((low & 15) | (high << 4));
                fifth |= ((uint)low >> 4 << i) | ((uint)high >> 4 << (16 + i));
            }

            Unsafe.WriteUnaligned(blocks + Fifth, fifth);
            if (importance != null) importance += 32;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(byte* block) => Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> ScaleLanes(byte* block) => Float16.Broadcast256(block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Codes(byte* block) => ByteCodes.FiveBits(block + Packed, block + Fifth).AsSByte() - Vector256.Create((sbyte)16);

    private static int Low(byte* block, int i) => ((block[Packed + i] & 15) | ((Word(block) >> i & 1) << 4)) - 16;

    private static int High(byte* block, int i) => ((block[Packed + i] >> 4) | ((Word(block) >> (16 + i) & 1) << 4)) - 16;

    private static int Word(byte* block) => Unsafe.ReadUnaligned<int>(block + Fifth);
}
