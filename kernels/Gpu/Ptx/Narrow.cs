using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

/// <summary>
/// binary32 to sixteen bits, to the nearest, halves to even. Source: IEEE 754-2019; NVIDIA, "Parallel Thread Execution ISA" 8.4, section 9.7.9.21 (cvt).
/// </summary>
internal static class Narrow
{
    /// <summary>binary16, in the low half of the word.</summary>
    public static uint ToHalf(float x)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("{ .reg .b16 h; cvt.rn.f16.f32 h, %1; cvt.u32.u16 %0, h; }", out uint half, x);
            return half;
        }

        // Without branches: cards' kernels hold this too, and are translated with it. Below 2^-14: 0.5 has its last bit where a binary16 of that size has it.
        uint bits = Interop.FloatAsInt(x), magnitude = bits & 0x7fffffff;
        uint small = Interop.FloatAsInt(Interop.IntAsFloat(magnitude) + 0.5f) - 0x3f000000, normal = (magnitude + 0xfff + ((magnitude >> 13) & 1) - 0x38000000) >> 13;
        uint number = IntrinsicMath.Min(magnitude < 0x38800000 ? small : normal, 0x7c00u);
        return ((bits >> 16) & 0x8000) | (magnitude > 0x7f800000 ? 0x7e00u : number);
    }

    /// <summary>bfloat16, in the low half of the word; of numbers.</summary>
    public static uint ToBrain(float x)
    {
        uint bits = Interop.FloatAsInt(x);
        return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    }

    /// <summary>Two numbers as bfloat16: the first in the low half.</summary>
    public static uint ToBrains(float low, float high)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("cvt.rn.bf16x2.f32 %0, %2, %1;", out uint both, low, high);
            return both;
        }

        return ToBrain(low) | (ToBrain(high) << 16);
    }

    /// <summary>Two numbers as binary16: the first in the low half.</summary>
    public static uint ToHalves(float low, float high)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("cvt.rn.f16x2.f32 %0, %2, %1;", out uint both, low, high);
            return both;
        }

        return ToHalf(low) | (ToHalf(high) << 16);
    }
}
