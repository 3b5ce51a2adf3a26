using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Gpu.Tests.Graphs;

/// <summary>Operations that share a launch with the one before: the same numbers as launch by launch, and fewer launches.</summary>
public sealed unsafe class SharedLaunchTests : DeviceTests
{
    private const int Width = 160, Heads = 4, Inner = 64;

    [Theory]
    [InlineData(1, true)]
    [InlineData(3, false)]
    public void ALayerIsTheSameInFewerLaunches(int rows, bool inPlace)
    {
        (float[] apart, _) = Layer(rows, inPlace, null);
        (float[] shared, int launches) = Layer(rows, inPlace, new StandIn());
        Assert.Equal(apart, shared);

        // Sum, norm and bytes; product; both turned; gate and bytes; product.
        Assert.Equal(5, launches);
    }

    [Fact]
    public void WhatOnlyLooksAlikeIsNotTakenTogether()
    {
        GpuDevice device = Devices.Open();
        device.UseGraphs(new StandIn());
        using GpuBackend backend = new(device, ComputeMode.Fast, 16 << 20);
        WeightVector gain = Gain(backend);
        backend.BeginPass();
        Tensor a = backend.Take(1, Width), b = backend.Take(1, Width), c = backend.Take(1, Width);
        backend.Write(Values(1, 1), a);
        backend.Write(Values(1, 2), b);

        // The norm is of another tensor than the sum.
        backend.Add(a, b, c);
        backend.RmsNorm(a, gain, 1e-5f, b);
        Assert.Equal(2, device.Steps!.Launches.Count);

        // The same heads turned twice.
        Tensor angles = Angles(backend, 1, Width);
        backend.Rope(c, Width / Heads, angles, RopePairing.Interleaved);
        backend.Rope(c, Width / Heads, angles, RopePairing.Interleaved);
        Assert.Equal(2, device.Steps.Launches.Count);
        float[] turned = new float[Width];
        backend.Read(c, turned);

        // Heads that are partly the same.
        backend.Rope(c.Columns(0, Width / 2), Width / Heads, angles, RopePairing.Interleaved);
        backend.Rope(c.Columns(Width / Heads, Width / 2), Width / Heads, angles, RopePairing.Interleaved);
        Assert.Equal(2, device.Steps.Launches.Count);
        float[] x = Values(1, 1), y = Values(1, 2);
        (double u, double v, double angle) = (x[0] + y[0], x[1] + y[1], 2 * Angle(0, 0));
        Assert.Equal((u * Math.Cos(angle)) - (v * Math.Sin(angle)), turned[0], 1e-4);
    }

    private (float[] Result, int Launches) Layer(int rows, bool inPlace, StandIn? driver)
    {
        GpuDevice device = Devices.Open();
        device.UseGraphs(driver);
        using GpuBackend backend = new(device, ComputeMode.Fast, 16 << 20);
        WeightVector gain = Gain(backend);
        WeightMatrix matrix = Matrix(backend, 3, Inner, Width), second = Matrix(backend, 4, 32, Inner);
        backend.BeginPass();
        Tensor x = backend.Take(rows, Width), added = backend.Take(rows, Width), normed = backend.Take(rows, Width), y = backend.Take(rows, Inner), gated = backend.Take(rows, Inner), z = backend.Take(rows, 32);
        backend.Write(Values(rows, 1), x);
        backend.Write(Values(rows, 2), added);
        Tensor angles = Angles(backend, rows, Inner);
        Tensor sum = inPlace ? x : backend.Take(rows, Width);
        backend.Add(x, added, sum);
        backend.RmsNorm(sum, gain, 1e-5f, normed);
        backend.MatMul(normed, matrix, null, y);
        backend.Rope(y.Columns(0, Inner / 2), Inner / Heads, angles, RopePairing.Halves);
        backend.Rope(y.Columns(Inner / 2, Inner / 2), Inner / Heads, angles, RopePairing.Halves);
        backend.Gate(y, sum.Columns(0, Inner), Activation.Silu, gated);
        backend.MatMul(gated, second, null, z);
        int launches = device.Steps?.Launches.Count ?? 0;
        float[] result = new float[rows * (32 + Width)];
        backend.Read(z, result.AsSpan(0, rows * 32));
        backend.Read(sum, result.AsSpan(rows * 32));
        return (result, launches);
    }

    private static double Angle(int row, int pair) => 0.3 + row + (0.1 * pair);

    private static Tensor Angles(GpuBackend backend, int rows, int width)
    {
        int pairs = width / Heads / 2;
        Tensor angles = backend.Take(rows, 2 * pairs);
        float[] values = new float[rows * 2 * pairs];
        for (int i = 0; i < rows * pairs; i++)
        {
            (int row, int pair) = (i / pairs, i % pairs);
            (values[(2 * pairs * row) + pair], values[(2 * pairs * row) + pairs + pair]) = ((float)Math.Cos(Angle(row, pair)), (float)Math.Sin(Angle(row, pair)));
        }

        backend.Write(values, angles);
        return angles;
    }

    private static WeightVector Gain(GpuBackend backend)
    {
        fixed (float* stored = Values(1, 5)) return backend.BindVector("gain", FormatTable.Find("F32")!, Width, (nint)stored);
    }

    private static WeightMatrix Matrix(GpuBackend backend, int seed, int rows, int cols)
    {
        WeightFormat format = FormatTable.Find("Q8_0")!;
        byte[] blocks = new byte[format.Info.RowBytes(cols) * rows];
        format.Quantize(Values(rows, seed).AsSpan(0, rows * cols), [], blocks);
        fixed (byte* stored = blocks) return backend.BindMatrix("w", format, 1, rows, cols, (nint)stored);
    }

    private static float[] Values(int rows, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, rows * Width).Select(_ => random.NextSingle() - 0.5f)];
    }
}
