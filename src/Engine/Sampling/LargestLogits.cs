namespace Quern.Engine.Sampling;

/// <summary>The largest logits of a position in the order of <see cref="Candidates"/>: descending, equal ones by ascending token id.</summary>
/// <param name="row">As <see cref="Kernels.Cpu.Backend.Largest"/> gives them.</param>
/// <param name="count">How many.</param>
internal readonly ref struct LargestLogits(ReadOnlySpan<float> row, int count)
{
    private readonly ReadOnlySpan<float> _row = row;

    /// <summary>How many.</summary>
    public int Count => count;

    /// <summary>Whether no logit of the position is NaN or +∞, which would be the first.</summary>
    public bool AreNumbers => _row[1] < float.PositiveInfinity;

    /// <summary>log Σ exp(logit) over all of the position.</summary>
    public double LogSumExp => _row[1] + Math.Log(_row[0]);

    /// <summary>The logits, descending.</summary>
    public ReadOnlySpan<float> Logits => _row.Slice(1, count);

    /// <summary>The token of a logit.</summary>
    public int TokenAt(int index) => (int)_row[1 + count + index];
}
