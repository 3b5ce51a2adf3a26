using ILGPU;

namespace Quern.Kernels.Gpu;

/// <summary>Sums and maxima over a block of threads, whose number is a multiple of a warp's, at most 1,024.</summary>
internal static class GroupReduce
{
    private const int MostWarps = 32;

    /// <summary>The sum, in every thread.</summary>
    public static float Sum(float value)
    {
        value = Lane.WarpSum(value);
        if (Group.DimX == GpuDevice.WarpThreads) return value;
        ArrayView<float> parts = SharedMemory.Allocate<float>(MostWarps);
        Group.Barrier();
        if (Group.IdxX % GpuDevice.WarpThreads == 0) parts[Group.IdxX / GpuDevice.WarpThreads] = value;
        Group.Barrier();
        int lane = Group.IdxX % GpuDevice.WarpThreads;
        return Lane.WarpSum(lane < Group.DimX / GpuDevice.WarpThreads ? parts[lane] : 0f);
    }

    /// <summary>The maximum, in every thread.</summary>
    public static float Max(float value)
    {
        value = Lane.WarpMax(value);
        if (Group.DimX == GpuDevice.WarpThreads) return value;
        ArrayView<float> parts = SharedMemory.Allocate<float>(MostWarps);
        Group.Barrier();
        if (Group.IdxX % GpuDevice.WarpThreads == 0) parts[Group.IdxX / GpuDevice.WarpThreads] = value;
        Group.Barrier();
        int lane = Group.IdxX % GpuDevice.WarpThreads;
        return Lane.WarpMax(parts[lane < Group.DimX / GpuDevice.WarpThreads ? lane : 0]);
    }
}
