using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Reading weights, which no kernel writes.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, section 9.7.9 (ld.global.nc, prefetch).
/// </summary>
internal static partial class Lane
{
    /// <summary>
    /// 16 bytes of weights: read once, so they leave no trace in the first-level cache. Only of what no kernel writes: the assembler may read it before
    /// <see cref="WaitForKernelsBefore"/>, wherever it stands.
    /// </summary>
    /// <param name="memory">The arena.</param>
    /// <param name="address">A multiple of 16.</param>
    public static Uint4 Stream16(DeviceMemory memory, ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            Input<ulong> place = address;
            Output<uint> x = default, y = default, z = default, w = default;
            CudaAsm.EmitRef("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];", ref x, ref y, ref z, ref w, ref place);
            return new Uint4 { X = x.Value, Y = y.Value, Z = z.Value, W = w.Value };
        }

        return memory.Bytes.Cast<Uint4>()[(long)(address - memory.Address) >> 4];
    }

    /// <summary>8 bytes of weights: see <see cref="StreamByte"/>.</summary>
    public static Uint2 Stream8(DeviceMemory memory, ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            Input<ulong> place = address;
            Output<uint> x = default, y = default;
            CudaAsm.EmitRef("ld.global.nc.v2.u32 {%0, %1}, [%2];", ref x, ref y, ref place);
            return new Uint2 { X = x.Value, Y = y.Value };
        }

        return memory.Bytes.Cast<Uint2>()[(long)(address - memory.Address) >> 3];
    }

    /// <summary>Four bytes of weights: see <see cref="StreamByte"/>.</summary>
    public static uint StreamWord(DeviceMemory memory, ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            Input<ulong> place = address;
            Output<uint> word = default;
            CudaAsm.EmitRef("ld.global.nc.u32 %0, [%1];", ref word, ref place);
            return word.Value;
        }

        return memory.Words[(long)(address - memory.Address) >> 2];
    }

    /// <summary>Two bytes of weights: see <see cref="StreamByte"/>.</summary>
    public static uint StreamHalf(DeviceMemory memory, ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            Input<ulong> place = address;
            Output<uint> half = default;
            CudaAsm.EmitRef("ld.global.nc.u16 %0, [%1];", ref half, ref place);
            return half.Value;
        }

        return memory.Halves[(long)(address - memory.Address) >> 1];
    }

    /// <summary>A byte of weights: see <see cref="Stream16"/>, but others read its neighbours.</summary>
    public static uint StreamByte(DeviceMemory memory, ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            Input<ulong> place = address;
            Output<uint> single = default;
            CudaAsm.EmitRef("ld.global.nc.u8 %0, [%1];", ref single, ref place);
            return single.Value;
        }

        return memory.Bytes[(long)(address - memory.Address)];
    }

    /// <summary>Has the second-level cache fetch what lies at an offset in bytes; nothing elsewhere than on a card.</summary>
    public static void Prefetch(DeviceMemory memory, long offset) => Prefetch(memory.Address + (ulong)offset);

    /// <inheritdoc cref="Prefetch(DeviceMemory, long)"/>
    public static void Prefetch(ulong address)
    {
        if (!CudaAsm.IsSupported) return;
        uint lower = (uint)address, upper = (uint)(address >> 32);
        CudaAsm.Emit("{ .reg .b64 a; mov.b64 a, {%0, %1}; prefetch.global.L2 [a]; }", lower, upper);
    }
}
