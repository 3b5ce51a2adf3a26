using ILGPU;
using ILGPU.Runtime;
using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Ops;
using Quern.Kernels.Gpu.Tests.Machine;

namespace Quern.Kernels.Gpu.Tests.Ops;

/// <summary>The first kernel alone, without the back end: the way from arena to kernel and back.</summary>
public sealed class RmsNormTests : DeviceTests
{
    [Theory]
    [InlineData(2, 1, 32, 32, false)]
    [InlineData(3, 2, 45, 64, false)]
    [InlineData(2, 1, 32, 32, true)]
    [InlineData(2, 3, 160, 32, true)]
    [InlineData(2, 1, 1184, 32, true)]
    public void GroupsOfRowsAreNormed(int rows, int groups, int length, int threads, bool isWide)
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
        launch(device.Stream, new KernelConfig((groups, rows, 1), (threads, 1, 1)), arena.Memory, new RmsNormArguments(arena.Tensor(x), arena.Tensor(y), arena.Offset(gain), length, 1e-5f) { IsWide = isWide ? 1 : 0 });
        float[] result = new float[values.Length];
        arena.Read<float>(y.Address, result);
        for (int row = 0; row < rows * groups; row++)
        {
            double root = Math.Sqrt(values.AsSpan(row * length, length).ToArray().Average(value => (double)value * value) + 1e-5);
            for (int i = 0; i < length; i++) Assert.Equal(values[(row * length) + i] / root * gains[i], result[(row * length) + i], 1e-5);
        }
    }

    /// <summary>A sum, its norm and the norm's bytes: what the kernels of each do, one value at a time.</summary>
    [Theory]
    [InlineData(1, 256, 64)]
    [InlineData(2, 1184, 64)]
    [InlineData(1, 3232, 64)]
    public void ASumNormedAndQuantisedAsACardComputesIt(int rows, int length, int threads)
    {
        using GpuDevice device = Devices.Open(GpuKind.Simulated);
        using DeviceArena arena = new(device, 1 << 20);
        Random random = new(length);
        DeviceTensor x = Fill(), addend = Fill(), sum = Fill(), narrow = Fill(), wide = Fill(), gain = Fill();
        long bytes = Take(), ownBytes = Take();
        QuantisedPlaces places = new(bytes, bytes + (rows * length)), own = new(ownBytes, ownBytes + (rows * length));
        RmsNormArguments arguments = new(x, wide, gain.Offset, length, 1e-5f) { IsSum = 1, Addend = addend, Sum = sum, Bytes = places, IsWide = 1 };
        PtxMachine.Run(RmsNorm.Kernel, arena, arguments, 1, rows, threads);
        float[] sums = Read(sum), first = Read(x), second = Read(addend);
        Assert.Equal(first.Zip(second, (a, b) => a + b), sums);
        PtxMachine.Run(RmsNorm.Kernel, arena, new RmsNormArguments(sum, narrow, gain.Offset, length, 1e-5f), 1, rows, threads);
        foreach ((float expected, float value) in Read(narrow).Zip(Read(wide))) Assert.Equal(expected, value, 1e-5f * MathF.Max(1, MathF.Abs(expected)));
        PtxMachine.Run(QuantiseActivations.Kernel, arena, new QuantiseArguments(wide, own, 1, 0), (length + 63) / 64, rows, 64);
        byte[] expectedBytes = new byte[rows * length * 5 / 4], made = new byte[expectedBytes.Length];
        arena.Read<byte>(arena.Base + (nint)ownBytes, expectedBytes);
        arena.Read<byte>(arena.Base + (nint)bytes, made);
        Assert.Equal(expectedBytes, made);

        long Take() => arena.Offset(arena.Take(rows * length * sizeof(float), "values"));
        DeviceTensor Fill()
        {
            long place = Take();
            arena.Write<float>(arena.Base + (nint)place, [.. Enumerable.Range(0, rows * length).Select(_ => random.NextSingle() - 0.5f)]);
            return new DeviceTensor(place, length, length);
        }

        float[] Read(DeviceTensor tensor)
        {
            float[] values = new float[rows * length];
            arena.Read<float>(arena.Base + (nint)tensor.Offset, values);
            return values;
        }
    }
}
