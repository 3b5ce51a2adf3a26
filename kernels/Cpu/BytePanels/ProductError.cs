using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.BytePanels;

/// <summary>How far products of bytes are from those of the same weights and activations in binary32, over outputs that are looked at.</summary>
/// <param name="Squares">Σ y² of the exact ones.</param>
/// <param name="Errors">Σ of the squared differences.</param>
internal readonly record struct ProductError(double Squares, double Errors)
{
    /// <summary><c>√(Σ (y' − y)² / Σ y²)</c>; null where nothing was looked at.</summary>
    public double? Relative => Squares > 0 ? Math.Sqrt(Errors / Squares) : null;

    public static ProductError operator +(ProductError a, ProductError b) => new(a.Squares + b.Squares, a.Errors + b.Errors);
}

/// <summary>The outputs of one product that are looked at: those of its first sixteen rows for some tokens.</summary>
/// <param name="tokens">Tokens of the product; 0 where it is not looked at.</param>
internal unsafe struct ProductSample(int tokens)
{
    private const int Tokens = 4;

    private readonly int _tokens = tokens, _count = Math.Min(Tokens, tokens);
    private fixed float _exact[Tokens * InterleavedLayout.Rows];

    /// <summary>Adds the exact products of some columns.</summary>
    /// <param name="x">All activations.</param>
    /// <param name="from">First column.</param>
    /// <param name="count">How many.</param>
    /// <param name="columns">[count, 16] weights.</param>
    public void Add(Tensor x, int from, int count, float* columns)
    {
        fixed (float* exact = _exact)
            for (int i = 0; i < _count; i++)
            {
                float* values = (float*)x.Address + ((nint)Token(i) * x.Stride) + from;
                Vector512<float> sum = Vector512.Load(exact + (16 * i));
                for (int k = 0; k < count; k++) sum += Vector512.Create(values[k]) * Vector512.Load(columns + (16 * k));
                sum.Store(exact + (16 * i));
            }
    }

    /// <summary>Compares them with what came out; what is not finite does not count.</summary>
    /// <param name="y">[tokens, 64].</param>
    /// <param name="rows">Rows that there are.</param>
    public readonly ProductError Compare(float* y, int rows)
    {
        ProductError error = default;
        for (int i = 0; i < _count; i++)
            for (int r = 0; r < rows; r++)
            {
                double exact = _exact[(16 * i) + r], difference = y[((long)Token(i) * BytePanelLayout.Rows) + r] - exact;
                if (double.IsFinite(exact) && double.IsFinite(difference)) error += new ProductError(exact * exact, difference * difference);
            }

        return error;
    }

    // From the first to the last.
    private readonly int Token(int i) => _count == 1 ? 0 : (int)((long)i * (_tokens - 1) / (_count - 1));
}
