using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu.Tests.Device;

/// <summary>All who use a device share its kernels, but not what these are launched with.</summary>
public sealed class TwoUsersTests : DeviceTests
{
    private static readonly int Rounds = DeviceUnderTest.IsSimulated ? 20 : 20_000;

    [Fact]
    public async Task TwoThreadsLaunchOneKernelEachWithItsOwn()
    {
        float[] factors = [2, 8];
        GpuBackend[] backends = [.. factors.Select(_ => new GpuBackend(Devices.Open(), ComputeMode.Fast, 1 << 20))];
        using Barrier together = new(factors.Length);
        float[][] found = await Task.WhenAll(factors.Select((factor, i) => Task.Run(() => Use(backends[i], factor, together))));
        foreach (GpuBackend backend in backends) backend.Dispose();
        Assert.All(found, values => Assert.All(values, value => Assert.Equal(1, value)));
    }

    // Up and down again, by powers of two, so that what is left is exact.
    private static float[] Use(GpuBackend backend, float factor, Barrier together)
    {
        using TensorBuffer buffer = backend.Allocate(1, 32);
        Tensor x = buffer.Tensor;
        float[] values = new float[32];
        Array.Fill(values, 1f);
        backend.Write(values, x);
        together.SignalAndWait();
        for (int round = 0; round < Rounds; round++)
        {
            backend.Scale(x, factor);
            backend.Scale(x, 1 / factor);
        }

        backend.Read(x, values);
        return values;
    }
}
