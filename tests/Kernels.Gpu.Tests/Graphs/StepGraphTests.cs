using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu.Graphs;

namespace Quern.Kernels.Gpu.Tests.Graphs;

/// <summary>Steps with a stand-in for the driver, which replays what it was given to record.</summary>
public sealed unsafe class StepGraphTests : DeviceTests
{
    [Fact]
    public void AStepIsRecordedTheSecondTimeAndReplayedFromThenOn()
    {
        StandIn driver = new();
        GpuDevice device = Devices.Open(GpuKind.Simulated);
        device.UseGraphs(driver);
        using GpuBackend backend = new(device, ComputeMode.Fast, 16 << 20);
        float[] gain = [.. Enumerable.Range(0, 32).Select(i => 1f + i)];
        fixed (float* stored = gain)
        {
            WeightVector vector = backend.BindVector("gain", FormatTable.Find("F32")!, 32, (nint)stored);
            for (int step = 0; step < 5; step++)
            {
                float[] x = [.. Enumerable.Range(0, 32).Select(i => MathF.Sin((40 * step) + i))];
                Assert.Equal(Step(backend, vector, x), Expected(x, gain), (a, b) => MathF.Abs(a - b) < 1e-4f * (1 + MathF.Abs(b)));
            }
        }

        Assert.Equal((1, 1, 3), device.Steps!.Counts);
        Assert.Equal(4, driver.Launched);
    }

    [Fact]
    public void WhatIsSelectedIsSelectedInTheStep()
    {
        GpuDevice device = Devices.Open(GpuKind.Simulated);
        device.UseGraphs(new StandIn());
        using GpuBackend backend = new(device, ComputeMode.Fast, 16 << 20);
        using TensorBuffer logits = backend.Allocate(1, 12), largest = backend.Allocate(1, 3);
        for (int step = 0; step < 4; step++)
        {
            backend.BeginPass();
            backend.Write([.. Enumerable.Range(0, 12).Select(i => i == 3 + step ? 5f : 0.5f)], logits.Tensor);
            backend.Scale(logits.Tensor, 2);
            backend.Clamp(logits.Tensor, 8);
            backend.Largest(logits.Tensor, 1, largest.Tensor);
            Assert.Equal(4, device.Steps!.Launches.Count);
            Assert.Equal([8, 3 + step], largest.Read(0, 1)[1..].ToArray());
        }

        Assert.Equal((1, 1, 2), device.Steps!.Counts);
    }

    [Fact]
    public void OtherShapesAreOtherSteps()
    {
        StandIn driver = new();
        GpuDevice device = Devices.Open(GpuKind.Simulated);
        device.UseGraphs(driver);
        using (GpuBackend backend = new(device, ComputeMode.Fast, 16 << 20))
        {
            foreach (int width in new[] { 8, 16, 8, 16, 8, 16 })
            {
                backend.BeginPass();
                Tensor x = backend.Take(1, width);
                backend.Write(Enumerable.Repeat(1f, width).ToArray(), x);
                for (int i = 0; i < 6; i++) backend.Scale(x, 2);
                float[] result = new float[width];
                backend.Read(x, result);
                Assert.All(result, value => Assert.Equal(64, value));
            }

            Assert.Equal((2, 2, 2), device.Steps!.Counts);
        }

        Assert.Equal(2, driver.Destroyed);
    }

    [Fact]
    public void TheFirstPartOfALongStepIsDoneWhileTheRestIsListed()
    {
        const int More = 10;
        StandIn driver = new();
        GpuDevice device = Devices.Open(GpuKind.Simulated);
        device.UseGraphs(driver);
        using GpuBackend backend = new(device, ComputeMode.Fast, 16 << 20);
        for (int step = 0; step < 4; step++)
        {
            backend.BeginPass();
            Tensor x = backend.Take(1, 8);
            backend.Write(Enumerable.Repeat(1f, 8).ToArray(), x);
            int before = driver.Launched;
            for (int i = 0; i < StepGraph.FirstPart; i++) backend.Scale(x, i % 2 == 0 ? 2 : 0.5f);
            Assert.Equal(StepGraph.FirstPart, device.Steps!.Launches.Count);
            Assert.Equal(before, driver.Launched);
            for (int i = 0; i < More; i++) backend.Scale(x, 2);
            Assert.Equal(More, device.Steps.Launches.Count);
            Assert.Equal(before + (step == 0 ? 0 : 1), driver.Launched);
            float[] result = new float[8];
            backend.Read(x, result);
            Assert.All(result, value => Assert.Equal(1 << More, value));
        }

        Assert.Equal((2, 2, 4), device.Steps!.Counts);
        Assert.Equal(6, driver.Launched);
    }

    [Fact]
    public void AStepThatComesAgainAllocatesNothing()
    {
        StandIn driver = new();
        using StepGraph steps = new(driver);
        Nothing kernel = new();
        long before = 0;
        for (int step = 0; step < 40; step++)
        {
            if (step == 20) before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 300; i++) steps.Launches.Add(kernel, default, new LaunchShape(i, 1, 32), new DeviceTensor(i, 2 * i, 3));
            steps.Flush(null!);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal((1, 1, 38), steps.Counts);
        Assert.Equal(300 * 40, kernel.Launched);
    }

    [Fact]
    public void ErrorsOfTheDriverSayWhatToTry()
    {
        string message = CudaDriver.Describe(2, "to prepare a recorded graph", "CUDA_ERROR_OUT_OF_MEMORY", "out of memory");
        Assert.Contains("to prepare a recorded graph", message, StringComparison.Ordinal);
        Assert.Contains("--gpu-layers", message, StringComparison.Ordinal);
    }

    private static float[] Step(GpuBackend backend, WeightVector gain, float[] values)
    {
        backend.BeginPass();
        Tensor x = backend.Take(1, 32), y = backend.Take(1, 32);
        backend.Write(values, x);
        backend.RmsNorm(x, gain, 1e-5f, y);
        backend.Scale(y, 3);
        backend.Add(y, x, y);
        backend.Clamp(y, 20);
        float[] result = new float[32];
        backend.Read(y, result);
        return result;
    }

    private static float[] Expected(float[] x, float[] gain)
    {
        float root = MathF.Sqrt(x.Average(value => value * value) + 1e-5f);
        return [.. x.Select((value, i) => Math.Clamp((3 * value / root * gain[i]) + value, -20, 20))];
    }

    private sealed class Nothing : IListedKernel
    {
        public int Launched { get; private set; }

        public void Launch(in DeviceMemory memory, LaunchShape shape, ReadOnlySpan<byte> arguments)
        {
            if (System.Runtime.InteropServices.MemoryMarshal.Read<DeviceTensor>(arguments).Offset == shape.Groups) Launched++;
        }
    }
}
