using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

/// <summary>
/// What the lanes of a warp tell each other. OpenCL does not say how many threads run in step, and the package has its shuffles for one vendor alone and no branch that leaves them out: so they are PTX
/// here, and elsewhere values go through shared memory. There a group is one warp (<see cref="GpuBackend"/> launches no larger ones), so that a barrier of the group is one of the warp.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, sections 9.7.9.5 (shfl) and 9.7.13.2 (bar.warp.sync).
/// </summary>
internal static partial class Lane
{
    private const int MostPlainThreads = 128;

    /// <summary>The value, of 32 bits, of the lane whose number differs in these bits.</summary>
    public static T Xor<T>(T value, int bits)
        where T : unmanaged
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("shfl.sync.bfly.b32 %0, %1, %2, 31, -1;", out T other, value, bits);
            return other;
        }

        return Exchange(value, Group.IdxX ^ bits);
    }

    /// <summary>The same of 64 bits.</summary>
    public static ulong Xor(ulong value, int bits) => Xor((uint)value, bits) | ((ulong)Xor((uint)(value >> 32), bits) << 32);

    /// <summary>The value, of 32 bits, of a lane.</summary>
    public static T Of<T>(T value, int lane)
        where T : unmanaged
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("shfl.sync.idx.b32 %0, %1, %2, 31, -1;", out T other, value, lane);
            return other;
        }

        return Exchange(value, (Group.IdxX & -GpuDevice.WarpThreads) + lane);
    }

    /// <summary>The value, of 32 bits, of the lane so many before this one; the first ones get their own.</summary>
    public static T Before<T>(T value, int apart)
        where T : unmanaged
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("shfl.sync.up.b32 %0, %1, %2, 0, -1;", out T other, value, apart);
            return other;
        }

        return Exchange(value, (Group.IdxX & (GpuDevice.WarpThreads - 1)) < apart ? Group.IdxX : Group.IdxX - apart);
    }

    /// <summary>All lanes come here before one goes on, and see what the others have written to shared memory; what is read before it stays before it.</summary>
    public static void Barrier()
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("bar.warp.sync -1;");
            return;
        }

        Group.Barrier();
    }

    private static T Exchange<T>(T value, int thread)
        where T : unmanaged
    {
        ArrayView<T> values = SharedMemory.Allocate<T>(MostPlainThreads);
        values[Group.IdxX] = value;
        Group.Barrier();
        T other = values[thread];
        Group.Barrier();
        return other;
    }
}
