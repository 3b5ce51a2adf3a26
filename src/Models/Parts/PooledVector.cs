using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>
/// One vector of the vectors of a text's tokens, which may come in chunks. Source: Reimers and Gurevych 2019, arXiv 1908.10084, section 3 (mean, first token); Neelakantan et al. 2022,
/// arXiv 2201.10005 (last token).
/// </summary>
/// <param name="pooling">How: <see cref="Pooling.Mean"/>, <see cref="Pooling.Cls"/>, <see cref="Pooling.Last"/>, or <see cref="Pooling.Rank"/>, whose numbers are made of the first token.</param>
/// <param name="width">Values of a vector.</param>
public sealed class PooledVector(Pooling pooling, int width)
{
    private readonly double[] _sums = new double[width];
    private int _count;

    /// <summary>The vectors that are needed of a chunk.</summary>
    /// <param name="pooling">How; <see cref="Pooling.None"/> needs all.</param>
    /// <param name="isFirst">Whether the chunk begins the text.</param>
    /// <param name="isLast">Whether the chunk ends the text.</param>
    public static BatchOutputs Outputs(Pooling pooling, bool isFirst, bool isLast) => pooling switch
    {
        Pooling.None or Pooling.Mean => BatchOutputs.All,
        Pooling.Last => isLast ? BatchOutputs.Last : BatchOutputs.None,
        _ => isFirst ? BatchOutputs.First : BatchOutputs.None,
    };

    /// <summary>Takes vectors that <see cref="Outputs"/> asked for.</summary>
    /// <param name="rows">[n, width], row after row.</param>
    public void Add(ReadOnlySpan<float> rows)
    {
        for (; !rows.IsEmpty; rows = rows[width..], _count++)
            for (int i = 0; i < width; i++) _sums[i] += rows[i];
    }

    /// <summary>Writes the vector and begins another one.</summary>
    /// <param name="normalize">Whether it is divided by its length, the root of the sum of its squares; a vector of zeros stays.</param>
    /// <param name="y">[width].</param>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public void Finish(bool normalize, Span<float> y)
    {
        if (_count == 0) throw new InvalidOperationException($"there is no vector to pool ({pooling})");
        for (int i = 0; i < width; i++) y[i] = (float)(_sums[i] / _count);
        if (normalize) Normalize(y);
        _sums.AsSpan().Clear();
        _count = 0;
    }

    /// <summary>Divides a vector by its length; a vector of zeros stays.</summary>
    public static void Normalize(Span<float> y)
    {
        double squares = 0;
        foreach (float value in y) squares += (double)value * value;
        if (squares == 0) return;
        double length = Math.Sqrt(squares);
        for (int i = 0; i < y.Length; i++) y[i] = (float)(y[i] / length);
    }
}
