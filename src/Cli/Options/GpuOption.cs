using Quern.Kernels.Cpu;
#if GPU
using System.Globalization;
using Quern.Kernels.Gpu;
#endif

namespace Quern.Cli.Options;

/// <summary>What <c>--device</c> and <c>--gpu-layers</c> stand for: the one file of the program that knows whether it was built with the GPU room.</summary>
internal static class GpuOption
{
    /// <summary>How to build the program with it.</summary>
    public const string HowToBuild = "dotnet build src/Cli -c Release -p:Gpu=true";

    /// <summary>Names of devices.</summary>
    public static IReadOnlyList<string> Devices { get; } = ["cpu", "gpu", "opencl", "simulated"];

    /// <summary>The device of a name; null for the processor.</summary>
    /// <param name="name">A name of <see cref="Devices"/>, or null.</param>
    /// <param name="layers">A number, all, auto, or null.</param>
    /// <exception cref="UsageException">The program was built without the GPU room, or layers are asked for and no device.</exception>
    public static ComputeDevice? DeviceOf(string? name, string? layers)
    {
        if (name is null or "cpu")
        {
            if (layers is not null) throw new UsageException("--gpu-layers needs a card: give it with --device gpu");
            return null;
        }

#if GPU
        return new GpuComputeDevice
        {
            Kind = name switch { "gpu" => GpuKind.Cuda, "opencl" => GpuKind.OpenCl, _ => GpuKind.Simulated },
            Layers = layers switch { null or "auto" => GpuComputeDevice.Auto, "all" => GpuComputeDevice.All, _ => int.Parse(layers, CultureInfo.InvariantCulture) },
        };
#else
        throw new UsageException($"this program was built without the GPU room, which needs the package ILGPU. Build it with: {HowToBuild} (and run it with dotnet run -c Release -p:Gpu=true --project src/Cli -- …), or compute on the processor: --device cpu");
#endif
    }
}
