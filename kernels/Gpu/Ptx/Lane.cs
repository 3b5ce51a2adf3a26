using ILGPU;
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
/// What a lane of a warp does beyond C#: on a card by PTX, elsewhere by plain code with the same result.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, sections 9.7.1 (dp4a), 9.7.9 (ld, prmt), 9.7.3 (rsqrt), 9.7.12 (vote).
/// </summary>
internal static class Lane
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

    /// <summary>16 bytes of shared memory, by its address there; only on a card.</summary>
    public static Uint4 Shared16(uint address)
    {
        Input<uint> place = address;
        Output<uint> x = default, y = default, z = default, w = default;
        CudaAsm.EmitRef("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];", ref x, ref y, ref z, ref w, ref place);
        return new Uint4 { X = x.Value, Y = y.Value, Z = z.Value, W = w.Value };
    }

    /// <summary>8 bytes of shared memory, by its address there; only on a card.</summary>
    public static Uint2 Shared8(uint address)
    {
        Input<uint> place = address;
        Output<uint> x = default, y = default;
        CudaAsm.EmitRef("ld.shared.v2.u32 {%0, %1}, [%2];", ref x, ref y, ref place);
        return new Uint2 { X = x.Value, Y = y.Value };
    }

    /// <summary>Four bytes of shared memory, by its address there; only on a card.</summary>
    public static uint SharedWord(uint address)
    {
        CudaAsm.Emit("ld.shared.u32 %0, [%1];", out uint value, address);
        return value;
    }

    /// <summary>Two bytes of shared memory, by its address there; only on a card.</summary>
    public static uint SharedHalf(uint address)
    {
        CudaAsm.Emit("ld.shared.u16 %0, [%1];", out uint value, address);
        return value;
    }

    /// <summary>A byte of shared memory, by its address there; only on a card.</summary>
    public static uint SharedByte(uint address)
    {
        CudaAsm.Emit("ld.shared.u8 %0, [%1];", out uint value, address);
        return value;
    }

    /// <summary>Starts a copy of 16 bytes of weights to shared memory; only on a card.</summary>
    /// <param name="place">Address in shared memory, a multiple of 16.</param>
    /// <param name="address">A multiple of 16.</param>
    public static void CopyLater(uint place, ulong address)
    {
        uint lower = (uint)address, upper = (uint)(address >> 32);
        CudaAsm.Emit("{ .reg .b64 a; mov.b64 a, {%1, %2}; cp.async.cg.shared.global [%0], [a], 16; }", place, lower, upper);
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
        lanes |= Warp.ShuffleXor(lanes, 16);
        lanes |= Warp.ShuffleXor(lanes, 8);
        lanes |= Warp.ShuffleXor(lanes, 4);
        lanes |= Warp.ShuffleXor(lanes, 2);
        return lanes | Warp.ShuffleXor(lanes, 1);
    }

    /// <summary>Sum over the warp, in every lane.</summary>
    public static float WarpSum(float value)
    {
        value += Warp.ShuffleXor(value, 16);
        value += Warp.ShuffleXor(value, 8);
        value += Warp.ShuffleXor(value, 4);
        value += Warp.ShuffleXor(value, 2);
        return value + Warp.ShuffleXor(value, 1);
    }

    /// <summary>Maximum over the warp, in every lane.</summary>
    public static float WarpMax(float value)
    {
        value = IntrinsicMath.Max(value, Warp.ShuffleXor(value, 16));
        value = IntrinsicMath.Max(value, Warp.ShuffleXor(value, 8));
        value = IntrinsicMath.Max(value, Warp.ShuffleXor(value, 4));
        value = IntrinsicMath.Max(value, Warp.ShuffleXor(value, 2));
        return IntrinsicMath.Max(value, Warp.ShuffleXor(value, 1));
    }

    /// <summary>Sum over the lanes up to this one.</summary>
    public static int WarpSumUpTo(int value)
    {
        int lane = Group.IdxX & 31;
        for (int apart = 1; apart < 32; apart *= 2)
        {
            int before = Warp.ShuffleUp(value, apart);
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
