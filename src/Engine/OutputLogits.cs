using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>
/// The logits of a pass, a row for each output, where the model computes them. Where that is not in this process's memory, the largest of each row come in one small copy, if they were asked for
/// before the pass; all of them come when somebody asks.
/// </summary>
internal sealed class OutputLogits : IDisposable
{
    private const int LargestCols = 1 + (2 * Backend.MostLargest);

    private readonly QuernModel _model;
    private readonly TensorBuffer _all;
    private readonly TensorBuffer? _largest;
    private int _rows;
    private int _depth;

    /// <param name="model">The model.</param>
    /// <param name="rows">The most outputs of a pass.</param>
    public OutputLogits(QuernModel model, int rows)
    {
        _model = model;
        _all = model.AllocateLogits(rows);
        if (model.SelectsLargest) _largest = model.AllocateVectors(rows, LargestCols);
    }

    /// <summary>The most outputs of a pass.</summary>
    public int Rows => _all.Tensor.Rows;

    /// <summary>Bytes that came from elsewhere.</summary>
    public long CopiedBytes { get; private set; }

    /// <summary>Computes a batch.</summary>
    /// <param name="batch">Tokens.</param>
    /// <param name="depth">How many of the largest logits of every row are wanted, at most <see cref="Backend.MostLargest"/>; 0 where all are.</param>
    public void Forward(Batch batch, int depth)
    {
        (_rows, _depth) = (batch.OutputCount, _largest is null ? 0 : depth);
        _model.Forward(batch, _all.Tensor.FirstRows(_rows), _depth, _depth == 0 ? default : _largest!.Tensor.FirstRows(_rows));
    }

    /// <summary>Reads what was asked for.</summary>
    public PassLogits Read() =>
        _depth == 0 ? new PassLogits(Read(_all, 0, _rows), _model.VocabularySize) : new PassLogits(this, Read(_largest!, 0, _rows), LargestCols, _depth);

    /// <summary>Reads all logits of a row.</summary>
    public Span<float> ReadRow(int row) => Read(_all, row, 1);

    public void Dispose()
    {
        _all.Dispose();
        _largest?.Dispose();
    }

    private Span<float> Read(TensorBuffer buffer, int first, int count)
    {
        if (_largest is not null) CopiedBytes += (long)count * buffer.Tensor.Cols * sizeof(float);
        return _model.Read(buffer, first, count);
    }
}
