using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Tests.Backends;

namespace Quern.Kernels.Gpu.Tests.Backends;

/// <summary>The suite of every back end on the device under test; simulated, its large products and its attention are left to a card (<see cref="SmallAttentionTests"/>).</summary>
public sealed class GpuBackendTests : BackendSuite, IDisposable
{
    private readonly DevicesOfTest _devices = new();

    public void Dispose() => _devices.Dispose();

    protected override Backend Create(ComputeMode mode) => new GpuBackend(_devices.Open(), mode, 256 << 20);

    protected override bool TakesAttention => !DeviceUnderTest.IsSimulated;

    protected override bool Takes(int tokens, int rows) => !DeviceUnderTest.IsSimulated || tokens * rows <= 100;

    protected override bool TakesLargest(int k, int cols) => !DeviceUnderTest.IsSimulated || k * cols <= 60;
}
