using System.Collections.Concurrent;
using System.Reflection;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

/// <summary>
/// A device as its driver opened it, with the kernels that were loaded: opening takes seconds on a card and loading a kernel tenths of one, so that all who use a device of the process share it.
/// It is closed with the last of them.
/// </summary>
internal sealed class OpenedDevice
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<(GpuKind Kind, int Index), OpenedDevice> Open = [];

    private readonly (GpuKind Kind, int Index) _key;
    private readonly Context _context;
    private readonly ConcurrentDictionary<MethodInfo, object> _launchers = [];
    private int _users;

    private OpenedDevice((GpuKind Kind, int Index) key, Context context, Accelerator accelerator)
    {
        (_key, _context, Accelerator) = (key, context, accelerator);
        if (accelerator is CudaAccelerator cuda) PtxBackend = new PTXBackend(context, cuda.Architecture, cuda.InstructionSet, null!);
    }

    /// <summary>The accelerator.</summary>
    public Accelerator Accelerator { get; }

    /// <summary>What compiles kernels for a card, null elsewhere.</summary>
    public PTXBackend? PtxBackend { get; }

    /// <summary>Kernels that were loaded.</summary>
    public int KernelCount => _launchers.Count;

    /// <summary>A device for one more user.</summary>
    /// <param name="kind">What runs the kernels.</param>
    /// <param name="index">Which of several devices.</param>
    /// <param name="open">Opens it where it is not open.</param>
    public static OpenedDevice Take(GpuKind kind, int index, Func<(Context Context, Accelerator Accelerator)> open)
    {
        lock (Gate)
        {
            if (!Open.TryGetValue((kind, index), out OpenedDevice? device))
            {
                (Context context, Accelerator accelerator) = open();
                Open[(kind, index)] = device = new OpenedDevice((kind, index), context, accelerator);
            }

            device._users++;
            return device;
        }
    }

    /// <summary>A user is done with it.</summary>
    public void Return()
    {
        lock (Gate)
        {
            if (--_users > 0) return;
            Open.Remove(_key);
        }

        PtxBackend?.Dispose();
        Accelerator.Dispose();
        _context.Dispose();
    }

    /// <summary>What launches a kernel, loaded when it is first asked for.</summary>
    public KernelLauncher<T> Launcher<T>(Action<DeviceMemory, T> kernel)
        where T : unmanaged => (KernelLauncher<T>)_launchers.GetOrAdd(kernel.Method, static (_, arguments) => KernelLoader.Load(arguments.Device, arguments.Kernel), (Device: this, Kernel: kernel));
}
