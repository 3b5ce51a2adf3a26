using System.Reflection;
using System.Runtime.CompilerServices;
using ILGPU;
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

/// <summary>Compiles kernels; on a card their PTX goes through <see cref="PtxLocals"/> on the way.</summary>
internal static class KernelLoader
{
    /// <summary>A launcher of a kernel that is launched with explicit groups.</summary>
    public static Action<AcceleratorStream, KernelConfig, DeviceMemory, T> Load<T>(GpuDevice device, Action<DeviceMemory, T> kernel)
        where T : struct
    {
        if (device.Accelerator is not CudaAccelerator cuda) return device.Accelerator.LoadKernel(kernel);
        return cuda.LoadKernel(Compile(device.PtxBackend!, kernel.Method)).CreateLauncherDelegate<Action<AcceleratorStream, KernelConfig, DeviceMemory, T>>();
    }

    /// <summary>The PTX of a kernel, as cards get it.</summary>
    public static PTXCompiledKernel Compile(PTXBackend backend, MethodInfo kernel)
    {
        PTXCompiledKernel compiled = (PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), KernelSpecialization.Empty);
        string text = PtxLocals.Promote(compiled.PTXAssembly);
        if (kernel.GetCustomAttribute<MostRegistersAttribute>() is { } bound) text = text.Replace("\n)\n{", $"\n)\n.maxnreg {bound.Count}\n{{", StringComparison.Ordinal);
        Text(compiled) = text;
        return compiled;
    }

    // The package has no way in for changed text; 1.5.3, whose field this is, is pinned, and a test compiles every kernel through here.
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<PTXAssembly>k__BackingField")]
    private static extern ref string Text(PTXCompiledKernel kernel);
}
