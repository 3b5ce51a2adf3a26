using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Shared memory by its address there; only on a card.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, section 9.7.9 (ld, cp.async).
/// </summary>
internal static partial class Lane
{
    /// <summary>16 bytes.</summary>
    public static Uint4 Shared16(uint address)
    {
        Input<uint> place = address;
        Output<uint> x = default, y = default, z = default, w = default;
        CudaAsm.EmitRef("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];", ref x, ref y, ref z, ref w, ref place);
        return new Uint4 { X = x.Value, Y = y.Value, Z = z.Value, W = w.Value };
    }

    /// <summary>8 bytes.</summary>
    public static Uint2 Shared8(uint address)
    {
        Input<uint> place = address;
        Output<uint> x = default, y = default;
        CudaAsm.EmitRef("ld.shared.v2.u32 {%0, %1}, [%2];", ref x, ref y, ref place);
        return new Uint2 { X = x.Value, Y = y.Value };
    }

    /// <summary>Four bytes.</summary>
    public static uint SharedWord(uint address)
    {
        CudaAsm.Emit("ld.shared.u32 %0, [%1];", out uint value, address);
        return value;
    }

    /// <summary>Two bytes.</summary>
    public static uint SharedHalf(uint address)
    {
        CudaAsm.Emit("ld.shared.u16 %0, [%1];", out uint value, address);
        return value;
    }

    /// <summary>A byte.</summary>
    public static uint SharedByte(uint address)
    {
        CudaAsm.Emit("ld.shared.u8 %0, [%1];", out uint value, address);
        return value;
    }

    /// <summary>Starts a copy of 16 bytes of weights to it.</summary>
    /// <param name="place">Address in shared memory, a multiple of 16.</param>
    /// <param name="address">A multiple of 16.</param>
    public static void CopyLater(uint place, ulong address)
    {
        uint lower = (uint)address, upper = (uint)(address >> 32);
        CudaAsm.Emit("{ .reg .b64 a; mov.b64 a, {%1, %2}; cp.async.cg.shared.global [%0], [a], 16; }", place, lower, upper);
    }
}
