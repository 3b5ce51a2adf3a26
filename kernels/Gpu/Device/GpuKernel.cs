using ILGPU;
using ILGPU.Runtime;

namespace Quern.Kernels.Gpu;

/// <summary>A kernel of a device: compiled when it is first launched; a launch allocates nothing.</summary>
internal sealed class GpuKernel<T>(GpuDevice device, Action<DeviceMemory, T> kernel)
    where T : struct
{
    private Action<AcceleratorStream, KernelConfig, DeviceMemory, T>? _launch;

    /// <summary>Launches one group of threads for each place of the grid.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="arguments">What the kernel takes.</param>
    /// <param name="groups">Groups along x.</param>
    /// <param name="rows">Groups along y.</param>
    /// <param name="threads">Threads of a group.</param>
    public void Run(DeviceMemory memory, T arguments, int groups, int rows, int threads)
    {
        if (groups == 0 || rows == 0) return;
        _launch ??= KernelLoader.Load(device, kernel);
        _launch(device.Stream, new KernelConfig((groups, rows, 1), (threads, 1, 1)), memory, arguments);
    }
}
