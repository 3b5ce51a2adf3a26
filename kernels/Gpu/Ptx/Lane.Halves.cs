using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Two binary16 numbers in a word, the first in the low half.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, sections 9.7.4.2 (sub), 9.7.4.4 (fma) and 9.7.9 (prmt).
/// </summary>
internal static partial class Lane
{
    /// <summary>
    /// <c>(byte − centre) · scale + addend</c>, rounded to the nearest, of two neighbouring bytes of four. A byte in the lowest bits of 1,024 makes 1,024 and the byte, from which 1,024 and the centre are taken.
    /// </summary>
    /// <param name="bytes">Four unsigned bytes.</param>
    /// <param name="pair">0: the first two; 1: the last.</param>
    /// <param name="centre">0 or 128.</param>
    /// <param name="scale">Twice the scale.</param>
    /// <param name="addend">Twice what is added.</param>
    public static uint ScaledBytes(uint bytes, uint pair, uint centre, uint scale, uint addend)
    {
        if (CudaAsm.IsSupported)
        {
            // Constants are not taken as operands of numbers: they go through a register.
            CudaAsm.Emit(
                "{ .reg .b32 n; .reg .b32 c; mov.b32 c, 1677747200; prmt.b32 n, %1, c, %2; mov.b32 c, %3; sub.rn.f16x2 n, n, c; mov.b32 c, %5; fma.rn.f16x2 %0, n, %4, c; }",
                out uint both, bytes, 0x5150 + (0x202 * pair), 0x64006400 + (0x10001 * centre), scale, addend);
            return both;
        }

        bytes >>= (int)(16 * pair);
        float low = (int)(bytes & 255) - (int)centre, high = (int)((bytes >> 8) & 255) - (int)centre;
        return Narrow.ToHalves((low * Widen(scale)) + Widen(addend), (high * Widen(scale)) + Widen(addend));
    }

    /// <summary>A finite binary16 in the low half of a word, without PTX and in few instructions: 2^112 moves the exponent to where a binary32 has it.</summary>
    public static float Widen(uint bits) => Interop.IntAsFloat(((bits & 0x8000) << 16) | Interop.FloatAsInt(Interop.IntAsFloat((bits & 0x7fff) << 13) * 5.192296858534828e33f));
}
