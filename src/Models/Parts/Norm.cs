using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>Which norm a family has, and what of it is in the file.</summary>
internal enum NormStyle
{
    /// <summary>Root mean square, with a gain. Source: Zhang and Sennrich 2019, arXiv 1910.07467.</summary>
    Rms,

    /// <summary>The same with gain and bias.</summary>
    RmsWithBias,

    /// <summary>Mean and variance, with gain and bias. Source: Ba et al. 2016, arXiv 1607.06450.</summary>
    Layer,

    /// <summary>Mean and variance, with a gain.</summary>
    LayerWithoutBias,

    /// <summary>Mean and variance, without weights. Source: Groeneveld et al. 2024, arXiv 2402.00838.</summary>
    LayerWithoutWeights,
}

/// <summary>A norm with its weights, <c>name.weight</c> and <c>name.bias</c>.</summary>
internal sealed class Norm
{
    private readonly bool _rms;
    private readonly int _length;
    private readonly float _epsilon;
    private readonly WeightVector? _gain;
    private readonly WeightVector? _bias;

    /// <param name="weights">The file's tensors.</param>
    /// <param name="name">Name without <c>.weight</c>.</param>
    /// <param name="style">Which norm.</param>
    /// <param name="length">Values that are normed together: a whole row, or a head of it.</param>
    /// <param name="epsilon">ε.</param>
    public Norm(WeightBinder weights, string name, NormStyle style, int length, float epsilon)
    {
        (_rms, _length, _epsilon) = (style is NormStyle.Rms or NormStyle.RmsWithBias, length, epsilon);
        if (style != NormStyle.LayerWithoutWeights) _gain = weights.Vector(name + ".weight", length);
        if (style is NormStyle.Layer or NormStyle.RmsWithBias) _bias = weights.Vector(name + ".bias", length);
    }

    private Norm(WeightVector gain, int length, float epsilon) => (_gain, _length, _epsilon) = (gain, length, epsilon);

    /// <summary>A LayerNorm of heads, each with a gain of its own: <c>[heads, length]</c>.</summary>
    public static Norm OfEachHead(WeightBinder weights, string name, int heads, int length, float epsilon) =>
        new(weights.Vectors(name + ".weight", heads, length), length, epsilon);

    /// <param name="backend">What computes.</param>
    /// <param name="x">[n, width].</param>
    /// <param name="y">[n, width]; may be <paramref name="x"/>.</param>
    public void Forward(Backend backend, Tensor x, Tensor y)
    {
        if (!_rms)
        {
            backend.LayerNorm(x, _length, _gain, _bias, _epsilon, y);
            return;
        }

        backend.RmsNorm(x, _gain!, _epsilon, y);
        if (_bias is not null) backend.AddBias(y, _bias, y);
    }
}
