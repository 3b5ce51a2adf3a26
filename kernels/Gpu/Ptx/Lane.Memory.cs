using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

/// <summary>16 bytes, loaded and stored at once.</summary>
internal struct Uint4
{
    /// <summary>Bytes 0…3.</summary>
    public uint X;

    /// <summary>Bytes 4…7.</summary>
    public uint Y;

    /// <summary>Bytes 8…11.</summary>
    public uint Z;

    /// <summary>Bytes 12…15.</summary>
    public uint W;
}

/// <summary>8 bytes, loaded and stored at once.</summary>
internal struct Uint2
{
    /// <summary>Bytes 0…3.</summary>
    public uint X;

    /// <summary>Bytes 4…7.</summary>
    public uint Y;
}

/// <summary>
/// Reading and writing what kernels make.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, section 9.7.9 (ld, st).
/// </summary>
internal static partial class Lane
{
    /// <summary>16 bytes that are read once, of whatever kernels have written.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="offset">Byte offset, a multiple of 16.</param>
    /// <param name="more">What is added to it: apart, so that loads that share the offset share its address.</param>
    public static Uint4 Once16(DeviceMemory memory, long offset, uint more = 0)
    {
        if (CudaAsm.IsSupported)
        {
            Input<ulong> place = memory.Address + (ulong)offset + more;
            Output<uint> x = default, y = default, z = default, w = default;
            CudaAsm.EmitRef("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];", ref x, ref y, ref z, ref w, ref place);
            return new Uint4 { X = x.Value, Y = y.Value, Z = z.Value, W = w.Value };
        }

        return memory.Bytes.Cast<Uint4>()[(offset + more) >> 4];
    }

    /// <summary>16 bytes that others read too.</summary>
    public static Uint4 Load16(DeviceMemory memory, ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            Input<ulong> place = address;
            Output<uint> x = default, y = default, z = default, w = default;
            CudaAsm.EmitRef("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];", ref x, ref y, ref z, ref w, ref place);
            return new Uint4 { X = x.Value, Y = y.Value, Z = z.Value, W = w.Value };
        }

        return memory.Bytes.Cast<Uint4>()[(long)(address - memory.Address) >> 4];
    }

    /// <summary>Writes 16 bytes.</summary>
    public static void Store16(DeviceMemory memory, ulong address, Uint4 value)
    {
        if (CudaAsm.IsSupported)
        {
            Input<ulong> place = address;
            Input<uint> x = value.X, y = value.Y, z = value.Z, w = value.W;
            CudaAsm.EmitRef("st.global.v4.u32 [%0], {%1, %2, %3, %4};", ref place, ref x, ref y, ref z, ref w);
            return;
        }

        memory.Bytes.Cast<Uint4>()[(long)(address - memory.Address) >> 4] = value;
    }

    /// <summary>Address of one of many things of so many bytes, in less than 4 GiB.</summary>
    public static ulong Place(ulong start, int index, uint bytes) => start + ((uint)index * bytes);

    /// <summary>8 bytes that others read too.</summary>
    public static Uint2 Load8(DeviceMemory memory, ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            Input<ulong> place = address;
            Output<uint> x = default, y = default;
            CudaAsm.EmitRef("ld.global.v2.u32 {%0, %1}, [%2];", ref x, ref y, ref place);
            return new Uint2 { X = x.Value, Y = y.Value };
        }

        return memory.Bytes.Cast<Uint2>()[(long)(address - memory.Address) >> 3];
    }

    /// <summary>Four bytes.</summary>
    public static uint Word(DeviceMemory memory, ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            Input<ulong> place = address;
            Output<uint> word = default;
            CudaAsm.EmitRef("ld.global.u32 %0, [%1];", ref word, ref place);
            return word.Value;
        }

        return memory.Words[(long)(address - memory.Address) >> 2];
    }

    /// <summary>Two bytes.</summary>
    public static uint Half(DeviceMemory memory, ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            Input<ulong> place = address;
            Output<uint> half = default;
            CudaAsm.EmitRef("ld.global.u16 %0, [%1];", ref half, ref place);
            return half.Value;
        }

        return memory.Halves[(long)(address - memory.Address) >> 1];
    }

    /// <summary>8 bytes, loaded like <see cref="Once16"/>.</summary>
    public static Uint2 Once8(DeviceMemory memory, long offset, uint more = 0)
    {
        if (CudaAsm.IsSupported)
        {
            ulong address = memory.Address + (ulong)offset + more;
            Input<uint> lower = (uint)address, upper = (uint)(address >> 32);
            Output<uint> x = default, y = default;
            CudaAsm.EmitRef("{ .reg .b64 a; mov.b64 a, {%2, %3}; ld.global.L1::no_allocate.v2.u32 {%0, %1}, [a]; }", ref x, ref y, ref lower, ref upper);
            return new Uint2 { X = x.Value, Y = y.Value };
        }

        return memory.Bytes.Cast<Uint2>()[(offset + more) >> 3];
    }
}
