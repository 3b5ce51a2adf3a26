using System.Collections.Concurrent;
using System.Reflection;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace Quern.Kernels.Gpu;

/// <summary>Most registers that the assembler may give a thread of a kernel: 128 leave a multiprocessor 16 warps.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MostRegistersAttribute(int count) : Attribute
{
    public int Count { get; } = count;
}

/// <summary>A kernel whose pieces of PTX are joined (<see cref="PtxBlocks"/>). Not all are: attention with four heads of Q4_0 does not fit its registers then.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class JoinsPiecesAttribute : Attribute;

/// <summary>A module of one kernel, and bytes of shared memory to ask for at launch.</summary>
internal sealed record KernelText(string Ptx, int SharedBytes)
{
    /// <summary>The kernel's name in it.</summary>
    public string Entry
    {
        get
        {
            const string Before = ".entry ";
            int first = Ptx.IndexOf(Before, StringComparison.Ordinal) + Before.Length;
            return Ptx[first..Ptx.IndexOf('(', first)];
        }
    }
}

/// <summary>Compiles kernels; on a card their PTX goes through <see cref="PtxLocals"/>, <see cref="PtxBlocks"/>, <see cref="PtxShared"/> and <see cref="PtxModule"/> on the way, and to the driver.</summary>
internal static class KernelLoader
{
    // What was compiled once serves every device of the process.
    private static readonly ConcurrentDictionary<(MethodInfo Kernel, CudaArchitecture Architecture), KernelText> Texts = [];

    /// <summary>A kernel that is launched with explicit groups, ready to be launched.</summary>
    public static KernelLauncher<T> Load<T>(OpenedDevice device, Action<DeviceMemory, T> kernel)
        where T : unmanaged
    {
        if (device.Accelerator is CLAccelerator openCl) return ClKernels.Load<T>(openCl, kernel.Method);
        if (device.Accelerator is not CudaAccelerator cuda) return new PackageLauncher<T>(device.Accelerator.LoadKernel(kernel));
        KernelText text = Texts.GetOrAdd((kernel.Method, cuda.Architecture), static (key, backend) => Compile(backend, key.Kernel), device.PtxBackend!);
        return new CudaLauncher<T>(cuda, text, $"{kernel.Method.DeclaringType!.Name}.{kernel.Method.Name}");
    }

    /// <summary>The PTX of a kernel, as cards get it.</summary>
    public static KernelText Compile(PTXBackend backend, MethodInfo kernel)
    {
        PTXCompiledKernel compiled = (PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), KernelSpecialization.Empty);
        string text = PtxLocals.Promote(compiled.PTXAssembly);
        if (kernel.IsDefined(typeof(JoinsPiecesAttribute))) text = PtxBlocks.Join(text);
        text = PtxShared.LeaveOutUnused(text);
        if (kernel.GetCustomAttribute<MostRegistersAttribute>() is { } bound) text = text.Replace("\n)\n{", $"\n)\n.maxnreg {bound.Count}\n{{", StringComparison.Ordinal);
        return new KernelText(PtxModule.Fit(text, StartsEarly(backend.Architecture), out int sharedBytes), sharedBytes);
    }

    /// <summary>Whether kernels can start before the one before is done: from Hopper on.</summary>
    public static bool StartsEarly(CudaArchitecture architecture) => architecture >= CudaArchitecture.SM_90;
}
