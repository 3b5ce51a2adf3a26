using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

/// <summary>Launches a kernel. Nothing is allocated.</summary>
internal abstract class KernelLauncher<T>
    where T : unmanaged
{
    /// <summary>Puts a launch into a stream.</summary>
    public abstract void Launch(AcceleratorStream stream, Graphs.LaunchShape shape, in DeviceMemory memory, in T arguments);
}

/// <summary>Through the package. On OpenCL the arguments of a kernel are set before it is launched, and all who use a device share its kernels: one at a time.</summary>
internal sealed class PackageLauncher<T>(Action<AcceleratorStream, KernelConfig, DeviceMemory, T> launch) : KernelLauncher<T>
    where T : unmanaged
{
    private readonly Lock _gate = new();

    public override void Launch(AcceleratorStream stream, Graphs.LaunchShape shape, in DeviceMemory memory, in T arguments)
    {
        lock (_gate) launch(stream, new KernelConfig((shape.Groups, shape.Rows, 1), (shape.Threads, 1, 1)), memory, arguments);
    }
}

/// <summary>
/// Through the driver, which is told that the kernel waits by itself for the one before (<see cref="PtxModule"/>), so that it starts while that one ends. Arguments are structs that lie in
/// parameters as they lie in memory: a view is an address and a length.
/// </summary>
internal sealed unsafe class CudaLauncher<T> : KernelLauncher<T>
    where T : unmanaged
{
    private readonly CudaAccelerator _accelerator;
    private readonly nint _function;
    private readonly int _sharedBytes;
    private readonly bool _startsEarly;

    /// <param name="accelerator">The card.</param>
    /// <param name="text">The kernel.</param>
    /// <param name="name">Its name for people.</param>
    public CudaLauncher(CudaAccelerator accelerator, KernelText text, string name)
    {
        (_accelerator, _sharedBytes) = (accelerator, text.SharedBytes);
        _startsEarly = KernelLoader.StartsEarly(accelerator.Architecture) && CudaDriver.Version() >= CudaDriver.EarlyStartVersion;
        accelerator.Bind();

        // The module goes with the device's context.
        _function = CudaDriver.LoadFunction(text.Ptx, text.Entry, name);
        if (_sharedBytes > 0) CudaDriver.AllowSharedMemory(_function, _sharedBytes);
    }

    public override void Launch(AcceleratorStream stream, Graphs.LaunchShape shape, in DeviceMemory memory, in T arguments)
    {
        // The driver's functions work on the thread's context, and threads change.
        _accelerator.Bind();
        MemoryParameter arena = new() { First = memory.Address, Length = memory.Bytes.Length, Address = memory.Address };
        T copy = arguments;
        void** parameters = stackalloc void*[2] { &arena, &copy };
        CudaDriver.Launch(_function, shape, _sharedBytes, ((CudaStream)stream).StreamPtr, parameters, _startsEarly);
    }

    /// <summary><see cref="DeviceMemory"/> as kernels get it.</summary>
    private struct MemoryParameter
    {
        public ulong First;
        public long Length;
        public ulong Address;
    }
}
