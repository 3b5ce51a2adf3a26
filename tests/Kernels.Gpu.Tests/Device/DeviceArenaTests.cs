namespace Quern.Kernels.Gpu.Tests.Device;

/// <summary>Pieces of the arena, and errors that say what to try.</summary>
public sealed class DeviceArenaTests
{
    [Fact]
    public void PiecesAreAlignedAndComeBackJoined()
    {
        using GpuDevice device = DeviceUnderTest.Open();
        using DeviceArena arena = new(device, 4096);
        nint[] pieces = [.. Enumerable.Range(0, 4).Select(i => arena.Take(1000, "a piece"))];
        Assert.Equal([0L, 1024, 2048, 3072], pieces.Select(arena.Offset));
        GpuException error = Assert.Throws<GpuException>(() => arena.Take(1, "one byte"));
        Assert.Contains("one byte needs 0 MiB", error.Message, StringComparison.Ordinal);
        Assert.Contains("--gpu-layers", error.Message, StringComparison.Ordinal);
        arena.Return(pieces[1]);
        arena.Return(pieces[3]);
        arena.Return(pieces[2]);
        Assert.Equal(1024, arena.Offset(arena.Take(3072, "the rest")));
    }

    [Fact]
    public void BytesSurviveTheWay()
    {
        using GpuDevice device = DeviceUnderTest.Open();
        using DeviceArena arena = new(device, 16 << 20);
        int[] values = [.. Enumerable.Range(0, 3_000_000)], back = new int[values.Length];
        nint place = arena.Take(values.Length * sizeof(int), "values");
        arena.Write<int>(place, values);
        arena.Read<int>(place, back);
        Assert.Equal(values, back);
    }

    [Fact]
    public void AMissingDriverIsExplained()
    {
        if (GpuDriver.Has("cuda")) return;
        GpuException error = Assert.Throws<GpuException>(() => GpuDevice.Open(GpuKind.Cuda));
        Assert.Contains("libcuda.so.1", error.Message, StringComparison.Ordinal);
        Assert.Contains("--device cpu", error.Message, StringComparison.Ordinal);
    }
}
