using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu;

/// <summary>
/// IEEE 754 binary16, as bits. .NET has no F16C instructions, and its cast from <see cref="Half"/> is a software routine, so kernels use
/// a table for single values and an integer trick for vectors: shift the 15 low bits to the place of a binary32 and multiply by 2^112,
/// which repairs the exponent's bias and makes subnormals right. Where code is assembled at run time, it has the instruction. Source: IEEE 754-2019; F. Giesen, "half to float done quickly".
/// </summary>
public static unsafe class Float16
{
    private const float Rebias = 5.192296858534828e33f; // 2^112
    private static readonly float* Table = MakeTable();

    /// <summary>The binary32 value of binary16 <paramref name="bits"/>: exact; infinities and NaN kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(ushort bits) => Table[bits];

    /// <summary>The binary32 value of the binary16 at <paramref name="source"/> in every lane: one broadcasting load from the table. AVX.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> Broadcast256(byte* source) => Avx.BroadcastScalarToVector256(Table + Unsafe.ReadUnaligned<ushort>(source));

    /// <summary>The nearest binary16 of <paramref name="value"/>, ties to even, overflow to infinity.</summary>
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
        if (magnitude >= 0x7f800000) return (ushort)(sign | 0x7c00 | (magnitude > 0x7f800000 ? 0x200u : 0));
        if (magnitude >= 0x477ff000) return (ushort)(sign | 0x7c00);
        if (magnitude < 0x38800000)
        {
            // Subnormal: adding 0.5 leaves the rounded 24-bit fraction of value / 2^-24 in the low bits.
            float shifted = BitConverter.UInt32BitsToSingle(magnitude) + 0.5f;
            return (ushort)(sign | (BitConverter.SingleToUInt32Bits(shifted) - 0x3f000000));
        }

        uint odd = (magnitude >> 13) & 1;
        return (ushort)(sign | ((magnitude - 0x38000000 + 0xfff + odd) >> 13));
    }

    /// <summary>Eight finite binary16 values, zero-extended to 32 bits, as binary32. Infinities and NaN are not kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToSingle(Vector256<int> bits)
    {
        Vector256<int> magnitude = (bits & Vector256.Create(0x7fff)) << 13;
        Vector256<int> sign = (bits & Vector256.Create(0x8000)) << 16;
        return ((magnitude.AsSingle() * Vector256.Create(Rebias)).AsInt32() | sign).AsSingle();
    }

    /// <summary>Sixteen finite binary16 values, zero-extended to 32 bits, as binary32. Infinities and NaN are not kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ToSingle(Vector512<int> bits)
    {
        Vector512<int> magnitude = (bits & Vector512.Create(0x7fff)) << 13;
        Vector512<int> sign = (bits & Vector512.Create(0x8000)) << 16;
        return ((magnitude.AsSingle() * Vector512.Create(Rebias)).AsInt32() | sign).AsSingle();
    }

    /// <summary>Widens consecutive finite values: sign-extended, shifted to the place of a binary32 (where the sign's copies are masked away), and multiplied by 2^112.</summary>
    /// <param name="source">binary16 values.</param>
    /// <param name="count">How many; a multiple of 16.</param>
    /// <param name="target">Destination.</param>
    internal static void Widen(ushort* source, int count, float* target)
    {
        const int Kept = unchecked((int)0x8fffe000);
        if (Isa.HasAvx512Vnni)
        {
            Assembled.WidenKernel.Run(source, count, target);
        }
        else if (Isa.HasAvx512)
        {
            for (int i = 0; i < count; i += 16)
            {
                Vector512<int> bits = Avx512F.ConvertToVector512Int32(Vector256.Load((short*)source + i)) << 13;
                ((bits & Vector512.Create(Kept)).AsSingle() * Vector512.Create(Rebias)).Store(target + i);
            }
        }
        else if (Isa.HasAvx2)
        {
            for (int i = 0; i < count; i += 8)
            {
                Vector256<int> bits = Avx2.ConvertToVector256Int32((short*)source + i) << 13;
                ((bits & Vector256.Create(Kept)).AsSingle() * Vector256.Create(Rebias)).Store(target + i);
            }
        }
        else
        {
            for (int i = 0; i < count; i++) target[i] = ToSingle(source[i]);
        }
    }

    /// <summary>Rounds consecutive values as <see cref="FromSingle(float)"/> does.</summary>
    /// <param name="source">binary32 values.</param>
    /// <param name="count">How many.</param>
    /// <param name="target">Destination.</param>
    internal static void Narrow(float* source, int count, ushort* target)
    {
        int i = 0;
        if (Isa.HasAvx512)
            for (; i <= count - 16; i += 16) Avx512F.ConvertToVector256UInt16(FromSingle(Vector512.Load(source + i))).Store(target + i);
        for (; i < count; i++) target[i] = FromSingle(source[i]);
    }

    // Each case of the scalar one in every lane.
    private static Vector512<uint> FromSingle(Vector512<float> values)
    {
        Vector512<uint> bits = values.AsUInt32(), magnitude = bits & Vector512.Create(0x7fffffffu), sign = (bits >> 16) & Vector512.Create(0x8000u);
        Vector512<uint> normal = (magnitude - Vector512.Create(0x38000000u - 0xfffu) + ((magnitude >> 13) & Vector512<uint>.One)) >> 13;
        Vector512<uint> subnormal = (magnitude.AsSingle() + Vector512.Create(0.5f)).AsUInt32() - Vector512.Create(0x3f000000u);
        Vector512<uint> result = Vector512.ConditionalSelect(Vector512.LessThan(magnitude, Vector512.Create(0x38800000u)), subnormal, normal);
        result = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(0x477ff000u)), Vector512.Create(0x7c00u), result);
        return sign | Vector512.ConditionalSelect(Vector512.GreaterThan(magnitude, Vector512.Create(0x7f800000u)), Vector512.Create(0x7e00u), result);
    }

    private static float* MakeTable()
    {
        float* table = (float*)NativeMemory.AlignedAlloc(65536 * sizeof(float), 64);
        for (int i = 0; i < 65536; i++)
        {
            uint exponent = ((uint)i >> 10) & 0x1f, fraction = (uint)i & 0x3ff, sign = ((uint)i & 0x8000) << 16;
            float magnitude = exponent == 31
                ? BitConverter.UInt32BitsToSingle(0x7f800000 | (fraction << 13))
                : BitConverter.UInt32BitsToSingle(((uint)i & 0x7fff) << 13) * Rebias;
            table[i] = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(magnitude) | sign);
        }

        return table;
    }
}
