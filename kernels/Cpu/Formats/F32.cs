using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// IEEE 754 binary32, little-endian: a block is one value of 4 bytes, <c>w = v</c>.
/// Source: IEEE 754-2019; ggml type 0.
/// </summary>
internal readonly unsafe struct F32 : IFloatFormat
{
    public static FormatInfo Info { get; } = new("F32", 0, 1, 4);

    public static InterleavedLayout Layout { get; } = new("F32", FloatElement.Single);

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (long i = 0; i < blockCount; i++) values[i] = Load(blocks + (4 * i));
    }

    public static void Decode(byte* blocks, long blockCount, float* values) =>
        Buffer.MemoryCopy(blocks, values, blockCount * 4, blockCount * 4);

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks) =>
        Buffer.MemoryCopy(values, blocks, blockCount * 4, blockCount * 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* source) => Unsafe.ReadUnaligned<float>(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load8(byte* source) => Vector256.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load16(byte* source) => Vector512.Load((float*)source);
}
