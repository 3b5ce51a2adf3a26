using System.Runtime.InteropServices;
using Quern.Kernels.Cpu.Formats;
using Quern.TestKit.Oracle;

namespace Quern.Kernels.Cpu.Tests.Backends;

/// <summary>A back end under test beside the oracle, with the same seeded inputs for both.</summary>
internal sealed unsafe class BackendPair(Backend tested, int seed) : IDisposable
{
    private readonly Random _random = new(seed);
    private readonly List<nint> _memory = [];
    private readonly Dictionary<string, (WeightVector Tested, WeightVector Oracle)> _lasting = [];

    public Backend Tested { get; } = tested;

    public OracleBackend Oracle { get; } = new();

    /// <summary>Two equal tensors of random values.</summary>
    public (Tensor Tested, Tensor Oracle) Values(int rows, int cols, float scale = 1)
    {
        float[] values = new float[rows * cols];
        for (int i = 0; i < values.Length; i++) values[i] = Normal() * scale;
        return Filled(rows, cols, values);
    }

    /// <summary>Two tensors full of NaN.</summary>
    public (Tensor Tested, Tensor Oracle) Empty(int rows, int cols)
    {
        float[] values = new float[rows * cols];
        values.AsSpan().Fill(float.NaN);
        return Filled(rows, cols, values);
    }

    /// <summary>The values of a tensor of the back end under test, rows without gaps.</summary>
    public float[] Read(Tensor tested)
    {
        float[] values = new float[tested.Rows * tested.Cols];
        Tested.Read(tested, values);
        return values;
    }

    /// <summary>Gives the oracle the values that the back end under test has.</summary>
    public void Share((Tensor Tested, Tensor Oracle) tensors) => Oracle.Write(Read(tensors.Tested), tensors.Oracle);

    /// <summary>The same random matrix bound to both.</summary>
    public (WeightMatrix Tested, WeightMatrix Oracle) Matrix(WeightFormat format, int count, int rows, int cols)
    {
        float[] values = new float[(long)count * rows * cols];
        for (int i = 0; i < values.Length; i++) values[i] = Normal() / MathF.Sqrt(cols);
        byte[] blocks = new byte[format.Info.RowBytes(values.Length)];
        format.Quantize(values, [], blocks);
        nint address = Keep(blocks);
        return (Tested.BindMatrix("w", format, count, rows, cols, address), Oracle.BindMatrix("w", format, count, rows, cols, address));
    }

    /// <summary>The same random vector, made once under a name.</summary>
    public (WeightVector Tested, WeightVector Oracle) Lasting(string name, int length, Func<float, float>? change = null) =>
        _lasting.TryGetValue(name, out var known) ? known : _lasting[name] = Vector(length, change);

    /// <summary>The same random vector bound to both.</summary>
    public (WeightVector Tested, WeightVector Oracle) Vector(int length, Func<float, float>? change = null)
    {
        float[] values = new float[length];
        for (int i = 0; i < length; i++) values[i] = change is null ? Normal() : change(Normal());
        nint address = Keep(MemoryMarshal.AsBytes<float>(values));
        WeightFormat format = FormatTable.Find("F32")!;
        return (Tested.BindVector("v", format, length, address), Oracle.BindVector("v", format, length, address));
    }

    /// <summary>Random biases by distance bound to both: [heads, 2 reach + 1], the sixteen outermost on either side the same.</summary>
    public (WeightVector Tested, WeightVector Oracle) Biases(int heads, int reach)
    {
        int count = (2 * reach) + 1;
        float[] values = new float[heads * count];
        for (int head = 0; head < heads; head++)
        {
            Span<float> own = values.AsSpan(head * count, count);
            for (int i = 0; i < count; i++) own[i] = Normal();
            own[..16].Fill(own[0]);
            own[^16..].Fill(own[^1]);
        }

        nint address = Keep(MemoryMarshal.AsBytes<float>(values));
        WeightFormat format = FormatTable.Find("F32")!;
        return (Tested.BindVector("b", format, values.Length, address), Oracle.BindVector("b", format, values.Length, address));
    }

    /// <summary>Asserts that the largest difference is at most <paramref name="tolerance"/> times the oracle's root mean square.</summary>
    public void AssertClose(Tensor tested, Tensor oracle, double tolerance)
    {
        float[] values = Read(tested);
        double squares = 0, worst = 0;
        for (int r = 0; r < oracle.Rows; r++)
        {
            for (int i = 0; i < oracle.Cols; i++)
            {
                float a = values[(r * oracle.Cols) + i], b = oracle.Row(r)[i];
                Assert.True(float.IsFinite(a), $"[{r}, {i}] is {a}, the oracle has {b}");
                squares += (double)b * b;
                worst = Math.Max(worst, Math.Abs((double)a - b));
            }
        }

        double rms = Math.Sqrt(squares / ((double)oracle.Rows * oracle.Cols));
        Assert.True(worst <= tolerance * rms, $"largest difference {worst:g3} is {worst / rms:g3} of the root mean square, allowed is {tolerance:g3}");
    }

    public void Dispose()
    {
        Tested.Dispose();
        Oracle.Dispose();
        foreach (nint address in _memory) NativeMemory.AlignedFree((void*)address);
    }

    private (Tensor Tested, Tensor Oracle) Filled(int rows, int cols, float[] values)
    {
        (Tensor a, Tensor b) = (Tested.Take(rows, cols), Oracle.Take(rows, cols));
        Tested.Write(values, a);
        Oracle.Write(values, b);
        return (a, b);
    }

    private nint Keep(ReadOnlySpan<byte> bytes)
    {
        void* memory = NativeMemory.AlignedAlloc((nuint)bytes.Length, 64);
        bytes.CopyTo(new Span<byte>(memory, bytes.Length));
        _memory.Add((nint)memory);
        return (nint)memory;
    }

    private float Normal()
    {
        double u = 1 - _random.NextDouble(), v = _random.NextDouble();
        return (float)(Math.Sqrt(-2 * Math.Log(u)) * Math.Cos(2 * Math.PI * v));
    }
}
