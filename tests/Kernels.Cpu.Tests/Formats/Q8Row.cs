using Quern.Kernels.Cpu.Formats;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Formats;

/// <summary>A quantised activation row whose memory ends, after the sums, at a guard page. Length in values.</summary>
internal sealed unsafe class Q8Row : IDisposable
{
    private readonly GuardedMemory _memory;

    public Q8Row(ActivationKind kind, int k)
    {
        // BytesNeeded is a multiple of 64, so memory that ends at a page is 64-byte aligned.
        _memory = new GuardedMemory((int)Q8Vector.BytesNeeded(kind, k));
        Vector = Q8Vector.Place((nint)_memory.Start, kind, k);
        Kind = kind;
        Length = k;
    }

    public Q8Vector Vector { get; }

    public ActivationKind Kind { get; }

    public int Length { get; }

    public ReadOnlySpan<sbyte> Quants => new(Vector.Q, Length);

    public ReadOnlySpan<float> Scales => new(Vector.D, Length / Q8Vector.GroupLength(Kind));

    public ReadOnlySpan<short> Sums => new(Vector.S, Length / Q8Vector.SumLength(Kind));

    /// <summary>A row quantised from normally distributed values by the scalar code.</summary>
    public static Q8Row Random(Random random, ActivationKind kind, int k)
    {
        Q8Row row = new(kind, k);
        float[] x = new float[k];
        for (int i = 0; i < k; i++) x[i] = Normal(random);
        fixed (float* source = x) Q8Quantizer.Scalar(source, k, kind, row.Vector);
        return row;
    }

    public static float Normal(Random random) =>
        (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));

    public void Dispose() => _memory.Dispose();
}
