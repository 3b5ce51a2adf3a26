using System.Reflection;
using System.Runtime.CompilerServices;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

/// <summary>Most registers that the assembler may give a thread of a kernel: 128 leave a multiprocessor 16 warps.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MostRegistersAttribute(int count) : Attribute
{
    public int Count { get; } = count;
}

/// <summary>Compiles kernels; on a card their PTX goes through <see cref="PtxLocals"/> and <see cref="PtxModule"/> on the way.</summary>
internal static class KernelLoader
{
    /// <summary>A kernel that is launched with explicit groups, ready to be launched.</summary>
    public static KernelLauncher<T> Load<T>(GpuDevice device, Action<DeviceMemory, T> kernel)
        where T : unmanaged
    {
        if (device.Accelerator is not CudaAccelerator cuda) return new PackageLauncher<T>(device.Accelerator.LoadKernel(kernel));
        return new CudaLauncher<T>(cuda, (CudaKernel)cuda.LoadKernel(Compile(device.PtxBackend!, kernel.Method, out int sharedBytes)), sharedBytes);
    }

    /// <summary>The PTX of a kernel, as cards get it.</summary>
    public static PTXCompiledKernel Compile(PTXBackend backend, MethodInfo kernel, out int sharedBytes)
    {
        PTXCompiledKernel compiled = (PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), KernelSpecialization.Empty);
        string text = PtxLocals.Promote(compiled.PTXAssembly);
        if (kernel.GetCustomAttribute<MostRegistersAttribute>() is { } bound) text = text.Replace("\n)\n{", $"\n)\n.maxnreg {bound.Count}\n{{", StringComparison.Ordinal);
        Text(compiled) = PtxModule.Fit(text, StartsEarly(backend.Architecture), out sharedBytes);
        if (sharedBytes > 0) Shared(Entry(compiled)) = new SharedMemorySpecification(0, true);
        return compiled;
    }

    /// <summary>Whether kernels can start before the one before is done: from Hopper on.</summary>
    public static bool StartsEarly(CudaArchitecture architecture) => architecture >= CudaArchitecture.SM_90;

    // The package has no way in for changed text, or for shared memory that it did not declare; 1.5.3, whose fields these are, is pinned, and a test compiles every kernel through here.
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<PTXAssembly>k__BackingField")]
    private static extern ref string Text(PTXCompiledKernel kernel);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_EntryPoint")]
    private static extern EntryPoint Entry(CompiledKernel kernel);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<SharedMemory>k__BackingField")]
    private static extern ref SharedMemorySpecification Shared(EntryPoint entry);
}
