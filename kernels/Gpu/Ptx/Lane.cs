using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

/// <summary>
/// What a lane of a warp does beyond C#: on a card by PTX, elsewhere by plain code with the same result. Here: numbers, and lanes among each other.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, sections 9.7.1 (dp4a), 9.7.9 (prmt), 9.7.3 (rsqrt), 9.7.12 (vote).
/// </summary>
internal static partial class Lane
{
    /// <summary>c + Σ aᵢ bᵢ over four signed bytes.</summary>
    public static int Dp4a(uint a, uint b, int c)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("dp4a.s32.s32 %0, %1, %2, %3;", out int sum, a, b, c);
            return sum;
        }

        return c + ((int)(a << 24) >> 24) * ((int)(b << 24) >> 24) + ((int)(a << 16) >> 24) * ((int)(b << 16) >> 24)
            + ((int)(a << 8) >> 24) * ((int)(b << 8) >> 24) + ((int)a >> 24) * ((int)b >> 24);
    }

    /// <summary>Four bytes picked from the eight of (a, b): byte i of the result is number <c>(selector >> 4i) &amp; 7</c>; bit 3 of a selector has to be 0.</summary>
    public static uint Pick(uint a, uint b, uint selector)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("prmt.b32 %0, %1, %2, %3;", out uint picked, a, b, selector);
            return picked;
        }

        ulong both = a | ((ulong)b << 32);
        uint first = (uint)(both >> (int)((selector & 7) * 8)) & 255;
        uint second = (uint)(both >> (int)(((selector >> 4) & 7) * 8)) & 255;
        uint third = (uint)(both >> (int)(((selector >> 8) & 7) * 8)) & 255;
        uint fourth = (uint)(both >> (int)(((selector >> 12) & 7) * 8)) & 255;
        return first | (second << 8) | (third << 16) | (fourth << 24);
    }

    /// <summary>The same with unsigned bytes in a.</summary>
    public static int Dp4aUnsigned(uint a, uint b, int c)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("dp4a.u32.s32 %0, %1, %2, %3;", out int sum, a, b, c);
            return sum;
        }

        return c + (int)(a & 255) * ((int)(b << 24) >> 24) + (int)((a >> 8) & 255) * ((int)(b << 16) >> 24) + (int)((a >> 16) & 255) * ((int)(b << 8) >> 24) + (int)(a >> 24) * ((int)b >> 24);
    }

    /// <summary>The same number, computed where this stands: the package moves computations to where they are used, into loops too.</summary>
    public static int Pin(int value)
    {
        if (!CudaAsm.IsSupported) return value;
        CudaAsm.Emit("mov.b32 %0, %1;", out int pinned, value);
        return pinned;
    }

    /// <inheritdoc cref="Pin(int)"/>
    public static float Pin(float value)
    {
        if (!CudaAsm.IsSupported) return value;
        CudaAsm.Emit("mov.b32 %0, %1;", out float pinned, value);
        return pinned;
    }

    /// <summary>
    /// Until here a kernel reads only what no other kernel writes; without this it waits at its beginning. Every thread that reads other things has to come here: see <see cref="PtxModule"/>.
    /// </summary>
    public static void WaitForKernelsBefore()
    {
        if (CudaAsm.IsSupported) CudaAsm.Emit("griddepcontrol.wait;");
    }

    /// <summary>The lanes of a warp that say yes, as bits, in every lane.</summary>
    public static uint Ballot(bool vote)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("{ .reg .pred p; setp.ne.u32 p, %1, 0; vote.sync.ballot.b32 %0, p, -1; }", out uint votes, vote ? 1u : 0u);
            return votes;
        }

        uint lanes = vote ? 1u << (Group.IdxX % GpuDevice.WarpThreads) : 0;
        lanes |= Xor(lanes, 16);
        lanes |= Xor(lanes, 8);
        lanes |= Xor(lanes, 4);
        lanes |= Xor(lanes, 2);
        return lanes | Xor(lanes, 1);
    }

    /// <summary>Sum over the warp, in every lane.</summary>
    public static float WarpSum(float value)
    {
        value += Xor(value, 16);
        value += Xor(value, 8);
        value += Xor(value, 4);
        value += Xor(value, 2);
        return value + Xor(value, 1);
    }

    /// <summary>Maximum over the warp, in every lane.</summary>
    public static float WarpMax(float value)
    {
        value = IntrinsicMath.Max(value, Xor(value, 16));
        value = IntrinsicMath.Max(value, Xor(value, 8));
        value = IntrinsicMath.Max(value, Xor(value, 4));
        value = IntrinsicMath.Max(value, Xor(value, 2));
        return IntrinsicMath.Max(value, Xor(value, 1));
    }

    /// <summary>Sum over the lanes up to this one.</summary>
    public static int WarpSumUpTo(int value)
    {
        int lane = Group.IdxX & 31;
        for (int apart = 1; apart < 32; apart *= 2)
        {
            int before = Before(value, apart);
            value += lane >= apart ? before : 0;
        }

        return value;
    }

    /// <summary>binary16 to binary32.</summary>
    public static float FromHalf(uint bits)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("{ .reg .b16 h; cvt.u16.u32 h, %1; cvt.f32.f16 %0, h; }", out float value, bits);
            return value;
        }

        uint sign = (bits & 0x8000) << 16, exponent = (bits >> 10) & 31, mantissa = bits & 0x3ff;
        if (exponent == 31) return Interop.IntAsFloat(sign | 0x7f800000 | (mantissa << 13));
        if (exponent != 0) return Interop.IntAsFloat(sign | ((exponent + 112) << 23) | (mantissa << 13));
        float small = (int)mantissa * 5.9604645e-8f;
        return sign != 0 ? -small : small;
    }

    /// <summary>bfloat16 in the low half of a word, to binary32.</summary>
    public static float FromBrain(uint bits) => Interop.IntAsFloat(bits << 16);

    /// <summary>The nearest integer, halves to the even one.</summary>
    public static int Round(float x)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("cvt.rni.s32.f32 %0, %1;", out int whole, x);
            return whole;
        }

        // Adding 1.5 · 2^23 leaves no bits behind the point.
        return (int)((x + 12582912f) - 12582912f);
    }

    /// <summary>1 / √x.</summary>
    public static float Rsqrt(float x)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("rsqrt.approx.f32 %0, %1;", out float root, x);
            return root;
        }

        return 1f / MathF.Sqrt(x);
    }
}
