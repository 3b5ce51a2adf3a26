using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Tests.Backends;

namespace Quern.Kernels.Gpu.Tests.Backends;

/// <summary>The suite of every back end on the kernels of the card, simulated thread by thread.</summary>
public sealed class SimulatedBackendTests : BackendSuite
{
    protected override Backend Create(ComputeMode mode) => new GpuBackend(GpuDevice.Open(GpuKind.Simulated), mode, 256 << 20);

    /// <summary>A simulated warp takes milliseconds to add up: large products are left to a card.</summary>
    protected override bool Takes(int tokens, int rows) => tokens * rows <= 200;
}
