using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// bfloat16, little-endian: a block is one value of 2 bytes, the upper half of a binary32, <c>w = v</c>.
/// Source: Intel, "BFLOAT16 hardware numerics definition", 2018; ggml type 30.
/// </summary>
internal readonly unsafe struct BF16 : IFloatFormat
{
    public static FormatInfo Info { get; } = new("BF16", 30, 1, 2);

    public static InterleavedLayout Layout { get; } = new("BF16", FloatElement.Brain);

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (long i = 0; i < blockCount; i++) values[i] = Load(blocks + (2 * i));
    }

    public static void Decode(byte* blocks, long blockCount, float* values)
    {
        long i = 0;
        if (Isa.HasAvx512)
            for (; i + 16 <= blockCount; i += 16) Load16(blocks + (2 * i)).Store(values + i);
        if (Isa.HasAvx2)
            for (; i + 8 <= blockCount; i += 8) Load8(blocks + (2 * i)).Store(values + i);
        DecodeScalar(blocks + (2 * i), blockCount - i, values + i);
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        for (long i = 0; i < blockCount; i++) Unsafe.WriteUnaligned(blocks + (2 * i), BrainFloat16.FromSingle(values[i]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* source) => BrainFloat16.ToSingle(Unsafe.ReadUnaligned<ushort>(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load8(byte* source) =>
        Vector256.ShiftLeft(Avx2.ConvertToVector256Int32((ushort*)source), 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load16(byte* source) =>
        Vector512.ShiftLeft(Avx512F.ConvertToVector512Int32(Vector256.Load((ushort*)source)), 16).AsSingle();
}
