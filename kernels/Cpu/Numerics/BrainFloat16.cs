using System.Runtime.CompilerServices;

namespace Quern.Kernels.Cpu;

/// <summary>bfloat16, as bits: the upper half of a binary32. Source: Intel, "BFLOAT16 hardware numerics definition", 2018.</summary>
public static class BrainFloat16
{
    /// <summary>The binary32 value of bfloat16 <paramref name="bits"/>: exact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>The nearest bfloat16 of <paramref name="value"/>, ties to even; NaN stays a quiet NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if ((bits & 0x7fffffff) > 0x7f800000) return (ushort)((bits >> 16) | 0x40);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
}
