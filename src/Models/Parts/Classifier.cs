using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>
/// Numbers for labels from the vector of a text's first token: <c>y = Wout tanh(W x + b) + bout</c>, or <c>y = Wout x + bout</c> where the file has no inner layer.
/// Source: Devlin et al. 2018, arXiv 1810.04805, section 4; Nogueira and Cho 2019, arXiv 1901.04085 (ranking).
/// </summary>
internal sealed class Classifier
{
    private readonly WeightMatrix? _inner;
    private readonly WeightVector? _innerBias;
    private readonly WeightMatrix _output;
    private readonly WeightVector? _outputBias;

    private Classifier(WeightBinder weights, int width)
    {
        _inner = weights.MatrixIfPresent("cls.weight", width, width);
        if (_inner is not null) _innerBias = weights.VectorIfPresent("cls.bias", width);
        _output = weights.MatrixOfAnyRows("cls.output.weight", width);
        _outputBias = weights.VectorIfPresent("cls.output.bias", _output.Rows);
    }

    /// <summary>Number of labels.</summary>
    public int LabelCount => _output.Rows;

    /// <summary>The file's classifier, or null where it has none.</summary>
    public static Classifier? BindIfPresent(WeightBinder weights, int width) => weights.Has("cls.output.weight") ? new Classifier(weights, width) : null;

    /// <param name="backend">What computes.</param>
    /// <param name="x">[n, width].</param>
    /// <param name="y">[n, labels].</param>
    public void Forward(Backend backend, Tensor x, Tensor y)
    {
        if (_inner is not null)
        {
            Tensor hidden = backend.Take(x.Rows, x.Cols);
            backend.MatMul(x, _inner, _innerBias, hidden);
            backend.Activate(hidden, Activation.Tanh, hidden);
            x = hidden;
        }

        backend.MatMul(x, _output, _outputBias, y);
    }
}
