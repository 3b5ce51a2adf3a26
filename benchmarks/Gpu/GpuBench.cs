using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using ILGPU.Runtime.Cuda;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu;
using Quern.Kernels.Gpu.Graphs;

namespace Quern.Benchmarks.Gpu;

/// <summary>A device with a back end, a clock and a page of results.</summary>
internal sealed unsafe class GpuBench : IDisposable
{
    private const long ToyBytes = 64L << 20, Bytes = 8L << 30;
    private readonly TextWriter _page;

    public GpuBench(GpuKind kind, bool isToy, long memoryBytes, TextWriter page)
    {
        (IsToy, _page) = (isToy, page);
        Device = GpuDevice.Open(kind);
        Backend = new GpuBackend(Device, ComputeMode.Fast, memoryBytes);
    }

    public GpuDevice Device { get; }

    public GpuBackend Backend { get; }

    /// <summary>Whether sizes are so small that only the way is tried, not the speed.</summary>
    public bool IsToy { get; }

    /// <summary>Bytes a second that a copy on the card reads and writes together.</summary>
    public double CopyRate { get; set; }

    /// <summary>Operations a second of products on tensor cores from registers; 0 where there are none.</summary>
    public double TensorRate { get; set; }

    /// <summary>The same device with nothing on it.</summary>
    public GpuBench Fresh() => new(Device.Kind, IsToy, IsToy ? ToyBytes : Bytes, _page) { CopyRate = CopyRate, TensorRate = TensorRate };

    /// <summary>Writes a line to the page and to the console.</summary>
    public void Line(string text)
    {
        _page.WriteLine(text);
        Console.WriteLine(text);
    }

    /// <summary>Seconds of one call, of some in a row without waiting between: the median of five, by the card's own clock where it has one.</summary>
    public double Seconds(Action work, int calls)
    {
        if (IsToy) calls = 1;
        work();
        work();
        double[] rounds = new double[IsToy ? 1 : 5];
        for (int i = 0; i < rounds.Length; i++) rounds[i] = Once(work, calls) / calls;
        Array.Sort(rounds);
        return rounds[rounds.Length / 2];
    }

    /// <summary>Launches by graphs, or one by one.</summary>
    public void UseGraphs(bool use) => Device.UseGraphs(use && Device.Kind == GpuKind.Cuda ? new CudaGraphDriver() : null);

    /// <summary>A matrix of a format with random values: one block of rows again and again.</summary>
    public WeightMatrix Matrix(string name, WeightFormat format, int rows, int cols)
    {
        const int Different = 64;
        byte[] blocks = new byte[format.Info.RowBytes(cols) * Math.Min(rows, Different)];
        Random random = new(rows + cols);
        float[] values = [.. Enumerable.Range(0, cols * Math.Min(rows, Different)).Select(_ => (random.NextSingle() - 0.5f) * 4 / MathF.Sqrt(cols))];
        format.Quantize(values, [], blocks);
        long bytes = format.Info.RowBytes(cols) * rows;
        byte* stored = (byte*)NativeMemory.Alloc((nuint)bytes);
        try
        {
            for (long done = 0; done < bytes; done += blocks.Length) blocks.AsSpan(0, (int)Math.Min(blocks.Length, bytes - done)).CopyTo(new Span<byte>(stored + done, (int)Math.Min(blocks.Length, bytes - done)));
            return Backend.BindMatrix(name, format, 1, rows, cols, (nint)stored);
        }
        finally
        {
            NativeMemory.Free(stored);
        }
    }

    /// <summary>A vector of ones.</summary>
    public WeightVector Ones(int length)
    {
        float[] ones = [.. Enumerable.Repeat(1f, length)];
        fixed (float* stored = ones) return Backend.BindVector("ones", FormatTable.Find("F32")!, length, (nint)stored);
    }

    /// <summary>A tensor of random values that lives until the end of the pass.</summary>
    public Tensor Values(int rows, int cols)
    {
        Tensor tensor = Backend.Take(rows, cols);
        Random random = new(rows);
        Backend.Write([.. Enumerable.Range(0, rows * cols).Select(_ => random.NextSingle() - 0.5f)], tensor);
        return tensor;
    }

    /// <summary>Part of a limit, for a table.</summary>
    public static string Percent(double value, double limit) => limit == 0 ? "—" : (100 * value / limit).ToString("f0", CultureInfo.InvariantCulture) + " %";

    public void Dispose() => Backend.Dispose();

    private double Once(Action work, int calls)
    {
        Device.Synchronize();
        if (Device.Stream is not CudaStream stream)
        {
            long begin = Stopwatch.GetTimestamp();
            for (int i = 0; i < calls; i++) work();
            Device.Synchronize();
            return Stopwatch.GetElapsedTime(begin).TotalSeconds;
        }

        (nint first, nint last) = (CudaDriver.CreateEvent(), CudaDriver.CreateEvent());
        CudaDriver.Record(first, stream.StreamPtr);
        for (int i = 0; i < calls; i++) work();
        // Launches that were put off go into the stream before the event does.
        CudaDriver.Record(last, ((CudaStream)Device.Stream).StreamPtr);
        float milliseconds = CudaDriver.Milliseconds(first, last);
        CudaDriver.DestroyEvent(first);
        CudaDriver.DestroyEvent(last);
        return milliseconds / 1e3;
    }
}
