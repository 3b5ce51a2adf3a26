using Quern.Engine.Sampling;

namespace Quern.Engine;

/// <summary>The logits of a pass as they were read, all or the largest of each row; valid until the next pass.</summary>
internal readonly ref struct PassLogits
{
    private readonly OutputLogits? _source;
    private readonly Span<float> _all;
    private readonly ReadOnlySpan<float> _largest;
    private readonly int _cols;
    private readonly int _depth;

    /// <param name="all">[rows, vocabulary].</param>
    /// <param name="vocabulary">Values of a row.</param>
    public PassLogits(Span<float> all, int vocabulary)
    {
        _all = all;
        _cols = vocabulary;
    }

    /// <param name="source">Where all of them are.</param>
    /// <param name="largest">[rows, cols], as <see cref="Kernels.Cpu.Backend.Largest"/> gives them.</param>
    /// <param name="cols">Values of a row.</param>
    /// <param name="depth">How many of the largest.</param>
    public PassLogits(OutputLogits source, ReadOnlySpan<float> largest, int cols, int depth)
    {
        (_source, _cols, _depth) = (source, cols, depth);
        _largest = largest;
    }

    /// <summary>All logits of a row, to be changed.</summary>
    public Span<float> All(int row) => _source is null ? _all.Slice(row * _cols, _cols) : _source.ReadRow(row);

    /// <summary>The largest logits of a row, if they were read and all are numbers.</summary>
    /// <param name="row">Which output.</param>
    /// <param name="depth">How many at least; 0 where all are needed.</param>
    /// <param name="largest">They.</param>
    public bool TryLargest(int row, int depth, out LargestLogits largest)
    {
        largest = default;
        if (depth == 0 || depth > _depth) return false;
        largest = new LargestLogits(_largest.Slice(row * _cols, _cols), _depth);
        return largest.AreNumbers;
    }
}
