using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

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
    public static PTXCompiledKernel Compile(PTXBackend backend, System.Reflection.MethodInfo kernel)
    {
        PTXCompiledKernel compiled = (PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), KernelSpecialization.Empty);
        Text(compiled) = PtxLocals.Promote(compiled.PTXAssembly);
        return compiled;
    }

    // The package has no way in for changed text; 1.5.3, whose field this is, is pinned, and a test compiles every kernel through here.
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<PTXAssembly>k__BackingField")]
    private static extern ref string Text(PTXCompiledKernel kernel);
}
