using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// IEEE 754 binary16, little-endian: a block is one value of 2 bytes, <c>w = v</c>.
/// Source: IEEE 754-2019; ggml type 1.
/// </summary>
internal readonly unsafe struct F16 : IFloatFormat
{
    private const float Rebias = 5.192296858534828e33f; // 2^112

    public static FormatInfo Info { get; } = new("F16", 1, 1, 2);

    public static InterleavedLayout Layout { get; } = new("F16", FloatElement.Half);

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
        for (long i = 0; i < blockCount; i++) Unsafe.WriteUnaligned(blocks + (2 * i), Float16.FromSingle(values[i]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* source) => Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(source));

    // Sign-extended, so that one shift and one mask put sign and magnitude in place; 2^112 repairs the exponent's bias. An exponent of all
    // ones (infinity, NaN) would become 2^16: those lanes get the exponent of binary32's infinity.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load8(byte* source)
    {
        Vector256<int> bits = Vector256.ShiftLeft(Avx2.ConvertToVector256Int32((short*)source), 13) & Vector256.Create(unchecked((int)0x8fffe000));
        Vector256<int> exponent = Vector256.Create(0x0f800000);
        Vector256<int> special = Vector256.Equals(bits & exponent, exponent) & Vector256.Create(0x7f800000);
        return ((bits.AsSingle() * Vector256.Create(Rebias)).AsInt32() | special).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load16(byte* source)
    {
        Vector512<int> bits = Vector512.ShiftLeft(Avx512F.ConvertToVector512Int32(Vector256.Load((short*)source)), 13)
            & Vector512.Create(unchecked((int)0x8fffe000));
        Vector512<int> exponent = Vector512.Create(0x0f800000);
        Vector512<int> scaled = (bits.AsSingle() * Vector512.Create(Rebias)).AsInt32();
        return Vector512.ConditionalSelect(Vector512.Equals(bits & exponent, exponent), scaled | Vector512.Create(0x7f800000), scaled).AsSingle();
    }
}
