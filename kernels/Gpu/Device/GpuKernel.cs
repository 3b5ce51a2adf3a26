using System.Runtime.InteropServices;
using Quern.Kernels.Gpu.Graphs;

namespace Quern.Kernels.Gpu;

/// <summary>A kernel of a device: compiled when it is first launched; a launch allocates nothing.</summary>
internal sealed class GpuKernel<T>(GpuDevice device, Action<DeviceMemory, T> kernel) : IListedKernel
    where T : unmanaged
{
    private KernelLauncher<T>? _launcher;

    /// <summary>Launches one group of threads for each place of the grid, or puts that off: see <see cref="StepGraph"/>.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="arguments">What the kernel takes.</param>
    /// <param name="groups">Groups along x.</param>
    /// <param name="rows">Groups along y.</param>
    /// <param name="threads">Threads of a group.</param>
    public void Run(DeviceMemory memory, T arguments, int groups, int rows, int threads)
    {
        if (groups == 0 || rows == 0) return;
        LaunchShape shape = new(groups, rows, threads);
        if (device.Steps is { IsListening: true } steps) device.List(steps, this, memory, shape, arguments);
        else Launch(memory, shape, arguments);
    }

    /// <summary>What the last launch was given, where it is one of this kernel that was put off, so that the next operation may do its work too.</summary>
    /// <param name="rows">Groups along y that it must have.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="groups">Its groups along x.</param>
    public bool TryLast(int rows, out T arguments, out int groups)
    {
        (arguments, groups) = (default, 0);
        return device.Steps is { IsListening: true } steps && steps.Launches.TryLast(this, rows, out arguments, out groups);
    }

    /// <summary>Takes that launch back.</summary>
    public void TakeBack() => device.Steps!.Launches.RemoveLast();

    void IListedKernel.Launch(in DeviceMemory memory, LaunchShape shape, ReadOnlySpan<byte> arguments) => Launch(memory, shape, MemoryMarshal.Read<T>(arguments));

    private void Launch(in DeviceMemory memory, LaunchShape shape, in T arguments)
    {
        _launcher ??= device.Launcher(kernel);
        _launcher.Launch(device.Stream, shape, memory, arguments);
    }
}
