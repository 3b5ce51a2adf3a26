namespace Quern.Kernels.Gpu.Tests;

/// <summary>
/// The devices that a test uses. All tests of the process share what is opened and the kernels that were loaded, which takes seconds on a card; afterwards nothing of a test's own may be left on it.
/// </summary>
internal sealed class DevicesOfTest : IDisposable
{
    // Open until the process ends.
    private static readonly GpuDevice Kept = GpuDevice.Open(DeviceUnderTest.Kind);

    private readonly List<GpuDevice> _devices = [];

    /// <summary>The device under test.</summary>
    public GpuDevice Open() => Open(DeviceUnderTest.Kind, 0);

    /// <summary>A device; the test gives it back.</summary>
    public GpuDevice Open(GpuKind kind, int index = 0)
    {
        Assert.False(Kept.IsDisposed);
        GpuDevice device = GpuDevice.Open(kind, index);
        lock (_devices) _devices.Add(device);
        return device;
    }

    /// <summary>The same as the device of a model.</summary>
    /// <param name="layers">Layers that it takes.</param>
    public GpuComputeDevice Compute(int layers = GpuComputeDevice.All) => new() { Kind = DeviceUnderTest.Kind, Layers = layers, MemoryBytes = 256 << 20, Open = Open };

    public void Dispose() => Assert.All(_devices, device => Assert.Equal((true, 0L), (device.IsDisposed, device.TakenBytes)));
}

/// <summary>Tests that use devices.</summary>
public abstract class DeviceTests : IDisposable
{
    internal DevicesOfTest Devices { get; } = new();

    public void Dispose()
    {
        Devices.Dispose();
        GC.SuppressFinalize(this);
    }
}
