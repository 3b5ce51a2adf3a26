using System.Reflection;
using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Runtime;
using ILGPU.Runtime.OpenCL;

namespace Quern.Kernels.Gpu;

/// <summary>Compiles kernels for an OpenCL device; their text goes through <see cref="ClSource"/> on the way.</summary>
internal static class ClKernels
{
    /// <summary>A kernel that is launched with explicit groups, ready to be launched.</summary>
    public static KernelLauncher<T> Load<T>(CLAccelerator accelerator, MethodInfo kernel)
        where T : unmanaged
    {
        CLCompiledKernel compiled = (CLCompiledKernel)accelerator.Backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), KernelSpecialization.Empty);
        CLCompiledKernel fitted = new(accelerator.Context, (SeparateViewEntryPoint)EntryPointOf(compiled), compiled.Info, ClSource.Fit(compiled.Source), compiled.CVersion);
        return new PackageLauncher<T>(accelerator.LoadKernel(fitted).CreateLauncherDelegate<Action<AcceleratorStream, KernelConfig, DeviceMemory, T>>());
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_EntryPoint")]
    private static extern EntryPoint EntryPointOf(CompiledKernel kernel);
}
