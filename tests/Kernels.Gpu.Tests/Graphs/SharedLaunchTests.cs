using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Gpu.Tests.Graphs;

/// <summary>Operations that share a launch with the one before: the same numbers as launch by launch, and fewer launches.</summary>
public sealed unsafe class SharedLaunchTests
{
    private const int Width = 160, Heads = 4;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void ALayerIsTheSameInFewerLaunches(int rows)
    {
        (float[] apart, _) = Layer(rows, null);
        (float[] shared, int launches) = Layer(rows, new StandIn());
        Assert.Equal(apart, shared);

        // Sum, norm and bytes; product; both turned; gate and bytes; product.
        Assert.Equal(5, launches);
    }

    [Fact]
    public void WhatOnlyLooksAlikeIsNotTakenTogether()
    {
        GpuDevice device = DeviceUnderTest.Open();
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
        Tensor angles = Angles(backend, 1);
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

    private static (float[] Result, int Launches) Layer(int rows, StandIn? driver)
    {
        GpuDevice device = DeviceUnderTest.Open();
        device.UseGraphs(driver);
        using GpuBackend backend = new(device, ComputeMode.Fast, 16 << 20);
        WeightVector gain = Gain(backend);
        WeightMatrix matrix = Matrix(backend, 3), second = Matrix(backend, 4);
        backend.BeginPass();
        Tensor x = backend.Take(rows, Width), added = backend.Take(rows, Width), normed = backend.Take(rows, Width), y = backend.Take(rows, Width), z = backend.Take(rows, Width);
        backend.Write(Values(rows, 1), x);
        backend.Write(Values(rows, 2), added);
        Tensor angles = Angles(backend, rows);
        backend.Add(x, added, x);
        backend.RmsNorm(x, gain, 1e-5f, normed);
        backend.MatMul(normed, matrix, null, y);
        backend.Rope(y.Columns(0, Width / 2), Width / Heads, angles, RopePairing.Halves);
        backend.Rope(y.Columns(Width / 2, Width / 2), Width / Heads, angles, RopePairing.Halves);
        backend.Gate(y, x, Activation.Silu, added);
        backend.MatMul(added, second, null, z);
        int launches = device.Steps?.Launches.Count ?? 0;
        float[] result = new float[2 * rows * Width];
        backend.Read(z, result.AsSpan(0, rows * Width));
        backend.Read(x, result.AsSpan(rows * Width));
        return (result, launches);
    }

    private static double Angle(int row, int pair) => 0.3 + row + (0.1 * pair);

    private static Tensor Angles(GpuBackend backend, int rows)
    {
        const int Pairs = Width / Heads / 2;
        Tensor angles = backend.Take(rows, 2 * Pairs);
        float[] values = new float[rows * 2 * Pairs];
        for (int i = 0; i < rows * Pairs; i++)
        {
            (int row, int pair) = (i / Pairs, i % Pairs);
            (values[(2 * Pairs * row) + pair], values[(2 * Pairs * row) + Pairs + pair]) = ((float)Math.Cos(Angle(row, pair)), (float)Math.Sin(Angle(row, pair)));
        }

        backend.Write(values, angles);
        return angles;
    }

    private static WeightVector Gain(GpuBackend backend)
    {
        fixed (float* stored = Values(1, 5)) return backend.BindVector("gain", FormatTable.Find("F32")!, Width, (nint)stored);
    }

    private static WeightMatrix Matrix(GpuBackend backend, int seed)
    {
        WeightFormat format = FormatTable.Find("Q8_0")!;
        byte[] blocks = new byte[format.Info.RowBytes(Width) * Width];
        format.Quantize(Values(Width, seed), [], blocks);
        fixed (byte* stored = blocks) return backend.BindMatrix("w", format, 1, Width, Width, (nint)stored);
    }

    private static float[] Values(int rows, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, rows * Width).Select(_ => random.NextSingle() - 0.5f)];
    }
}
