using System.Globalization;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using Quern.Kernels.Gpu.Graphs;

namespace Quern.Kernels.Gpu;

/// <summary>What runs the kernels.</summary>
public enum GpuKind
{
    /// <summary>An NVIDIA card through its driver: what the kernels are made for.</summary>
    Cuda,

    /// <summary>Any OpenCL device with a generic address space; slower forms of the kernels.</summary>
    OpenCl,

    /// <summary>The kernels on the processor, thread by thread: for tests of small sizes.</summary>
    Simulated,
}

/// <summary>A device as one uses it: a stream of its own, in which everything runs in order. What it costs to open is paid once by all: <see cref="OpenedDevice"/>.</summary>
public sealed class GpuDevice : IDisposable
{
    private readonly OpenedDevice _opened;
    private readonly AcceleratorStream _stream;

    private GpuDevice(GpuKind kind, OpenedDevice opened)
    {
        (Kind, _opened) = (kind, opened);
        _stream = Accelerator.CreateStream();
        if (kind == GpuKind.Cuda) UseGraphs(new CudaGraphDriver());
    }

    /// <summary>Threads that run in step.</summary>
    public const int WarpThreads = 32;

    /// <summary>What runs the kernels.</summary>
    public GpuKind Kind { get; }

    /// <summary>The device, for people.</summary>
    public string Description => Kind switch
    {
        GpuKind.Cuda => $"{Accelerator.Name}, CUDA, {MiB(Accelerator.MemorySize)} MiB",
        GpuKind.OpenCl => $"{Accelerator.Name}, OpenCL, {MiB(Accelerator.MemorySize)} MiB",
        _ => "GPU kernels simulated on the processor",
    };

    /// <summary>The accelerator.</summary>
    internal Accelerator Accelerator => _opened.Accelerator;

    /// <summary>Kernels that were loaded, by all who use the device.</summary>
    internal int KernelCount => _opened.KernelCount;

    /// <summary>Bytes of its memory that were taken through this and not given back.</summary>
    internal long TakenBytes { get; set; }

    /// <summary>Whether it was given back.</summary>
    internal bool IsDisposed { get; private set; }

    /// <summary>Whether the tensor cores take the work of four warps at once, from shared memory: Hopper's alone.</summary>
    internal bool HasWarpgroups => Accelerator is CudaAccelerator { Architecture: var architecture } && architecture == CudaArchitecture.SM_90;

    /// <summary>Puts launches off until the stream is wanted; null where they are done at once.</summary>
    internal StepGraph? Steps { get; private set; }

    /// <summary>A created stream, which a graph can be captured from; the default one cannot. Launches that were put off are in it when this returns.</summary>
    internal AcceleratorStream Stream
    {
        get
        {
            Steps?.Flush(_stream);
            return _stream;
        }
    }

    /// <summary>Bytes of the card's memory that nobody has taken. OpenCL does not say: there, what it gives in one piece.</summary>
    public long FreeBytes => Accelerator switch
    {
        CudaAccelerator cuda => cuda.GetFreeMemory(),
        CLAccelerator openCl => Math.Min(openCl.MemorySize, CLAPI.CurrentAPI.GetDeviceInfo<long>(openCl.DeviceId, CLDeviceInfoType.CL_DEVICE_MAX_MEM_ALLOC_SIZE)),
        _ => Accelerator.MemorySize,
    };

    /// <summary>Opens a device.</summary>
    /// <param name="kind">What runs the kernels.</param>
    /// <param name="index">Which of several devices.</param>
    /// <exception cref="GpuException">There is none; the message says what is missing.</exception>
    public static GpuDevice Open(GpuKind kind, int index = 0)
    {
        OpenedDevice opened = OpenedDevice.Take(kind, index, () => OpenByDriver(kind, index));
        try
        {
            return new GpuDevice(kind, opened);
        }
        catch
        {
            opened.Return();
            throw;
        }
    }

    /// <summary>What launches a kernel on it.</summary>
    internal KernelLauncher<T> Launcher<T>(Action<DeviceMemory, T> kernel)
        where T : unmanaged => _opened.Launcher(kernel);

    private static (Context Context, Accelerator Accelerator) OpenByDriver(GpuKind kind, int index)
    {
        GpuDriver.Resolve();
        Context context;
        try
        {
            context = Context.Create(builder =>
            {
                builder.EnableAlgorithms().Optimize(OptimizationLevel.O2).PageLocking(PageLockingMode.Auto);
                if (kind == GpuKind.Cuda) builder.Cuda();
                else if (kind == GpuKind.OpenCl) builder.OpenCL();
                else builder.CPU(new CPUDevice(WarpThreads, 4, 1));
            });
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            throw new GpuException(Missing(kind), error);
        }

        try
        {
            AcceleratorType type = kind switch { GpuKind.Cuda => AcceleratorType.Cuda, GpuKind.OpenCl => AcceleratorType.OpenCL, _ => AcceleratorType.CPU };
            Device[] found = [.. context.Devices.Where(device => device.AcceleratorType == type)];
            if (found.Length == 0) throw new GpuException(Missing(kind));
            if (index >= found.Length)
                throw new GpuException($"there is no {kind} device {index}: {found.Length} found ({string.Join(", ", found.Select((device, i) => $"{i}: {device.Name}"))})");
            if (kind == GpuKind.Cuda) CudaDriver.RequireVersion();
            return (context, found[index].CreateAccelerator(context));
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            context.Dispose();
            if (error is GpuException) throw;
            throw new GpuException($"the {kind} device {index} did not open: {error.Message}", error);
        }
    }

    /// <summary>Waits until everything in the stream is done.</summary>
    public void Synchronize() => Stream.Synchronize();

    /// <summary>Puts a launch off.</summary>
    internal void List<T>(StepGraph steps, IListedKernel kernel, in DeviceMemory memory, LaunchShape shape, in T arguments)
        where T : unmanaged => steps.Add(kernel, memory, shape, arguments, _stream);

    /// <summary>Makes graphs of the steps that come again; with null launches are done one by one.</summary>
    internal void UseGraphs(IGraphDriver? driver)
    {
        Synchronize();
        Steps?.Dispose();
        Steps = driver is null ? null : new StepGraph(driver);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (IsDisposed) return;
        UseGraphs(null);
        IsDisposed = true;
        _stream.Dispose();
        _opened.Return();
    }

    internal static string MiB(long bytes) => (bytes >> 20).ToString("N0", CultureInfo.InvariantCulture);

    private static string Missing(GpuKind kind) => kind switch
    {
        GpuKind.Cuda when !GpuDriver.Has("cuda") =>
            "no NVIDIA driver: libcuda.so.1 was not found. Install the driver (in a container, start it with access to the card), or compute on the processor: --device cpu",
        GpuKind.Cuda =>
            "the NVIDIA driver has no usable card: none is visible, or the driver is older than 525 (CUDA 12). See what nvidia-smi prints, update the driver, or compute on the processor: --device cpu",
        GpuKind.OpenCl when !GpuDriver.Has("OpenCL") => "no OpenCL: libOpenCL.so.1 was not found. Install an OpenCL driver, or compute on the processor: --device cpu",
        GpuKind.OpenCl => "OpenCL has no usable device: one with a generic address space is needed (OpenCL 3.0)",
        _ => "the processor cannot run the kernels",
    };
}
