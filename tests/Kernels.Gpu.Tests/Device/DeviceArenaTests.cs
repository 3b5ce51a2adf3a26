using ILGPU;
using ILGPU.Runtime.CPU;
using Quern.Kernels.Gpu.Ops;

namespace Quern.Kernels.Gpu.Tests.Device;

/// <summary>Pieces of the arena, and errors that say what to try.</summary>
public sealed class DeviceArenaTests : DeviceTests
{
    [Fact]
    public void PiecesAreAlignedAndComeBackJoined()
    {
        using GpuDevice device = Devices.Open();
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
        using GpuDevice device = Devices.Open();
        using DeviceArena arena = new(device, 16 << 20);
        int[] values = [.. Enumerable.Range(0, 3_000_000)], back = new int[values.Length];
        nint place = arena.Take(values.Length * sizeof(int), "values");
        arena.Write<int>(place, values);
        arena.Read<int>(place, back);
        Assert.Equal(values, back);
    }

    [Fact]
    public void ItIsClosedWithTheLastUser()
    {
        int opened = 0;
        OpenedDevice first = Take(), second = Take();
        Assert.Same(first, second);
        first.Return();
        Assert.False(first.Accelerator.IsDisposed);
        second.Return();
        Assert.True(first.Accelerator.IsDisposed);
        OpenedDevice again = Take();
        Assert.NotSame(first, again);
        again.Return();
        Assert.Equal(2, opened);

        // A number that no device has.
        OpenedDevice Take() => OpenedDevice.Take(GpuKind.Simulated, -1, () =>
        {
            opened++;
            Context context = Context.Create(builder => builder.CPU(new CPUDevice(GpuDevice.WarpThreads, 1, 1)));
            return (context, context.CreateCPUAccelerator(0));
        });
    }

    [Fact]
    public void WhatIsOpenIsShared()
    {
        Assert.Contains("there is no Simulated device 7", Assert.Throws<GpuException>(() => GpuDevice.Open(GpuKind.Simulated, 7)).Message, StringComparison.Ordinal);
        GpuDevice first = Devices.Open(GpuKind.Simulated), second = Devices.Open(GpuKind.Simulated);
        Assert.Same(first.Accelerator, second.Accelerator);
        Assert.NotSame(first.Stream, second.Stream);
        Assert.Same(first.Launcher<ElementwiseArguments>(Elementwise.Kernel), second.Launcher<ElementwiseArguments>(Elementwise.Kernel));
        using (DeviceArena arena = new(first, 4096))
        {
            Assert.Equal((4096, 0), (first.TakenBytes, second.TakenBytes));
        }

        first.Dispose();
        first.Dispose();
        Assert.False(second.Accelerator.IsDisposed);
        Assert.NotEmpty(second.Description);
        second.Dispose();
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
