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

/// <summary>Through the package.</summary>
internal sealed class PackageLauncher<T>(Action<AcceleratorStream, KernelConfig, DeviceMemory, T> launch) : KernelLauncher<T>
    where T : unmanaged
{
    public override void Launch(AcceleratorStream stream, Graphs.LaunchShape shape, in DeviceMemory memory, in T arguments) =>
        launch(stream, new KernelConfig((shape.Groups, shape.Rows, 1), (shape.Threads, 1, 1)), memory, arguments);
}

/// <summary>
/// Through the driver, which is told that the kernel waits by itself for the one before (<see cref="PtxModule"/>), so that it starts while that one ends. Arguments are structs that lie in
/// parameters as they lie in memory: a view is an address and a length.
/// </summary>
internal sealed unsafe class CudaLauncher<T> : KernelLauncher<T>
    where T : unmanaged
{
    private readonly CudaAccelerator _accelerator;
    private readonly CudaKernel _kernel;
    private readonly int _sharedBytes;
    private readonly bool _startsEarly;

    public CudaLauncher(CudaAccelerator accelerator, CudaKernel kernel, int sharedBytes)
    {
        (_accelerator, _kernel, _sharedBytes) = (accelerator, kernel, sharedBytes);
        _startsEarly = KernelLoader.StartsEarly(accelerator.Architecture) && CudaDriver.Version() >= CudaDriver.EarlyStartVersion;
        accelerator.Bind();
        if (sharedBytes > 0) CudaDriver.AllowSharedMemory(kernel.FunctionPtr, sharedBytes);
    }

    public override void Launch(AcceleratorStream stream, Graphs.LaunchShape shape, in DeviceMemory memory, in T arguments)
    {
        // The driver's functions work on the thread's context, and threads change.
        _accelerator.Bind();
        MemoryParameter arena = new() { First = memory.Address, Length = memory.Bytes.Length, Address = memory.Address };
        T copy = arguments;
        void** parameters = stackalloc void*[2] { &arena, &copy };
        CudaDriver.Launch(_kernel.FunctionPtr, shape, _sharedBytes, ((CudaStream)stream).StreamPtr, parameters, _startsEarly);
    }

    /// <summary><see cref="DeviceMemory"/> as kernels get it.</summary>
    private struct MemoryParameter
    {
        public ulong First;
        public long Length;
        public ulong Address;
    }
}
