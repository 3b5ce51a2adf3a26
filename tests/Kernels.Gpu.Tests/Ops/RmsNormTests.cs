using ILGPU;
using ILGPU.Runtime;
using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Ops;

namespace Quern.Kernels.Gpu.Tests.Ops;

/// <summary>The first kernel alone, without the back end: the way from arena to kernel and back.</summary>
public sealed class RmsNormTests : DeviceTests
{
    [Theory]
    [InlineData(2, 1, 32, 32)]
    [InlineData(3, 2, 45, 64)]
    public void GroupsOfRowsAreNormed(int rows, int groups, int length, int threads)
    {
        using GpuDevice device = Devices.Open();
        using DeviceArena arena = new(device, 1 << 20);
        int width = groups * length;
        float[] values = [.. Enumerable.Range(0, rows * width).Select(i => MathF.Sin(i) * 3)], gains = [.. Enumerable.Range(0, length).Select(i => 1 + (i % 7))];
        Tensor x = new(arena.Take(values.Length * sizeof(float), "x"), rows, width, width), y = x with { Address = arena.Take(values.Length * sizeof(float), "y") };
        nint gain = arena.Take(length * sizeof(float), "gain");
        arena.Write<float>(x.Address, values);
        arena.Write<float>(gain, gains);
        var launch = device.Accelerator.LoadKernel<DeviceMemory, RmsNormArguments>(RmsNorm.Kernel);
        launch(device.Stream, new KernelConfig((groups, rows, 1), (threads, 1, 1)), arena.Memory, new RmsNormArguments(arena.Tensor(x), arena.Tensor(y), arena.Offset(gain), length, 1e-5f));
        float[] result = new float[values.Length];
        arena.Read<float>(y.Address, result);
        for (int row = 0; row < rows * groups; row++)
        {
            double root = Math.Sqrt(values.AsSpan(row * length, length).ToArray().Average(value => (double)value * value) + 1e-5);
            for (int i = 0; i < length; i++) Assert.Equal(values[(row * length) + i] / root * gains[i], result[(row * length) + i], 1e-5);
        }
    }
}
