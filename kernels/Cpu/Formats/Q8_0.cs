using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 32 values in 34 bytes, <c>w = d × q</c>.
/// Bytes: 0 d, binary16; 2…33 q, signed bytes in order.
/// Source: ggml, block_q8_0 in ggml-common.h and ggml-quants.c; ggml type 8. Writers give −127…127, but a file may hold −128.
/// </summary>
internal readonly unsafe struct Q8_0 : IByteCodes
{
    private const int Bytes = 34, First = 2;

    public static FormatInfo Info { get; } = new("Q8_0", 8, 32, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of32;

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            float d = Scale(blocks);
            for (int i = 0; i < 32; i++) values[i] = d * (sbyte)blocks[First + i];
        }
    }

    public static void Decode(byte* blocks, long blockCount, float* values) => ByteCodes.Decode<Q8_0>(blocks, blockCount, values);

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* a = x.Q + (32 * index);
        int sum = 0;
        for (int i = 0; i < 32; i++) sum += (sbyte)block[First + i] * a[i];
        return Scale(block) * x.D[index] * sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum) => ByteDot.Accumulate(
        ByteDot.Signed(Codes(block), Vector256.Load(x.Q + (32 * index))), ScaleLanes(block), x.D + index, sum);

    public static InterleavedLayout Layout { get; } = new("Q8_0", 8, ScaleKind.Half, 128);

    public static Vector256<byte> StepCodes(byte* block, int step) => Codes(block).AsByte() ^ Vector256.Create((byte)128);

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => (Unsafe.ReadUnaligned<ushort>(block), 0);

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            Unsafe.WriteUnaligned(blocks, ScaleSearch.Quantize<Signed8>(values, importance, (sbyte*)blocks + First));
            if (importance != null) importance += 32;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(byte* block) => Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> ScaleLanes(byte* block) => Float16.Broadcast256(block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Codes(byte* block) => Vector256.Load((sbyte*)block + First);
}
