namespace Quern.Kernels.Gpu.Tests;

/// <summary>
/// What tests run on: the simulation, or a card where <c>QUERN_GPU</c> is <c>cuda</c> or <c>opencl</c>. A simulated warp takes milliseconds to add up, so that there large sizes are left out.
/// </summary>
internal static class DeviceUnderTest
{
    /// <summary>The device.</summary>
    public static GpuKind Kind { get; } = Environment.GetEnvironmentVariable("QUERN_GPU") switch
    {
        null or "" or "simulated" => GpuKind.Simulated,
        "cuda" => GpuKind.Cuda,
        "opencl" => GpuKind.OpenCl,
        var other => throw new InvalidOperationException($"QUERN_GPU is '{other}'; expected cuda, opencl or simulated"),
    };

    /// <summary>Whether sizes have to be small.</summary>
    public static bool IsSimulated => Kind == GpuKind.Simulated;
}
