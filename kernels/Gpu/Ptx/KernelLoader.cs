using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu;

/// <summary>Compiles kernels; on a card their PTX goes through <see cref="PtxLocals"/> and <see cref="PtxModule"/> on the way.</summary>
internal static class KernelLoader
{
    /// <summary>A launcher of a kernel that is launched with explicit groups, and the shared memory to ask for with it.</summary>
    public static (Action<AcceleratorStream, KernelConfig, DeviceMemory, T> Launch, SharedMemoryConfig Shared) Load<T>(GpuDevice device, Action<DeviceMemory, T> kernel)
        where T : struct
    {
        if (device.Accelerator is not CudaAccelerator cuda) return (device.Accelerator.LoadKernel(kernel), default);
        Kernel loaded = cuda.LoadKernel(Compile(device.PtxBackend!, kernel.Method, out int sharedBytes));
        if (sharedBytes > 0)
        {
            cuda.Bind();
            CudaDriver.AllowSharedMemory(((CudaKernel)loaded).FunctionPtr, sharedBytes);
        }

        return (loaded.CreateLauncherDelegate<Action<AcceleratorStream, KernelConfig, DeviceMemory, T>>(), sharedBytes > 0 ? SharedMemoryConfig.RequestDynamic<byte>(sharedBytes) : default);
    }

    /// <summary>The PTX of a kernel, as cards get it.</summary>
    public static PTXCompiledKernel Compile(PTXBackend backend, System.Reflection.MethodInfo kernel, out int sharedBytes)
    {
        PTXCompiledKernel compiled = (PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), KernelSpecialization.Empty);
        Text(compiled) = PtxModule.Fit(PtxLocals.Promote(compiled.PTXAssembly), out sharedBytes);
        if (sharedBytes > 0) Shared(Entry(compiled)) = new SharedMemorySpecification(0, true);
        return compiled;
    }

    // The package has no way in for changed text, or for shared memory that it did not declare; 1.5.3, whose fields these are, is pinned, and a test compiles every kernel through here.
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<PTXAssembly>k__BackingField")]
    private static extern ref string Text(PTXCompiledKernel kernel);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_EntryPoint")]
    private static extern EntryPoint Entry(CompiledKernel kernel);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<SharedMemory>k__BackingField")]
    private static extern ref SharedMemorySpecification Shared(EntryPoint entry);
}
