using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>How a dense feed-forward network is built.</summary>
internal enum FeedForwardKind
{
    /// <summary>A gate beside the hidden layer.</summary>
    Gated,

    /// <summary>The same, gate and hidden layer in one matrix, gate first.</summary>
    FusedGate,

    /// <summary>A hidden layer alone.</summary>
    Plain,
}

/// <summary>What a family says about its feed-forward networks.</summary>
/// <param name="Activation">Their function.</param>
/// <param name="Kind">How a dense one is built.</param>
internal sealed record FeedForwardStyle(Activation Activation, FeedForwardKind Kind = FeedForwardKind.Gated)
{
    /// <summary>Whether the file must have biases; where it need not, they are used if they are there.</summary>
    public bool Bias { get; init; }

    /// <summary>Whether the weights of a token's experts are divided by their sum, where the file does not say it.</summary>
    public bool NormaliseExperts { get; init; } = true;

    /// <summary>Whether the expert that all tokens share has a gate of its own.</summary>
    public bool SharedGate { get; init; }
}

/// <summary>The part of a layer that works on every token by itself.</summary>
internal abstract class FeedForward
{
    /// <param name="pass">The pass.</param>
    /// <param name="x">[n, width].</param>
    /// <param name="y">[n, width].</param>
    public abstract void Forward(in Pass pass, Tensor x, Tensor y);

    /// <summary>The experts of a layer where the model has them, a dense network otherwise.</summary>
    public static FeedForward Bind(WeightBinder weights, ModelConfig config, FeedForwardStyle style, int layer)
    {
        if (config.Experts is { } experts && layer >= experts.LeadingDenseLayers) return new ExpertFeedForward(weights, config, experts, style, layer);
        return style.Kind == FeedForwardKind.Plain
            ? new PlainFeedForward(weights, config, style, layer)
            : new GatedFeedForward(weights, config, style, $"blk.{layer}.ffn_", "", config.FeedForwardLength);
    }
}

/// <summary>A hidden layer: <c>y = Wdown f(Wup x)</c>. Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.3.</summary>
internal sealed class PlainFeedForward : FeedForward
{
    private readonly Activation _activation;
    private readonly int _length;
    private readonly WeightMatrix _up;
    private readonly WeightVector? _upBias;
    private readonly WeightMatrix _down;
    private readonly WeightVector? _downBias;

    public PlainFeedForward(WeightBinder weights, ModelConfig config, FeedForwardStyle style, int layer)
    {
        string prefix = $"blk.{layer}.ffn_";
        (_activation, _length) = (style.Activation, config.FeedForwardLength);
        _up = weights.Matrix(prefix + "up.weight", _length, config.Width);
        _upBias = weights.Bias(prefix + "up.bias", _length, style.Bias);
        _down = weights.Matrix(prefix + "down.weight", config.Width, _length);
        _downBias = weights.Bias(prefix + "down.bias", config.Width, style.Bias);
    }

    public override void Forward(in Pass pass, Tensor x, Tensor y)
    {
        Tensor inner = pass.Inner.FirstRows(x.Rows).Columns(0, _length);
        pass.Backend.MatMul(x, _up, _upBias, inner);
        pass.Backend.Activate(inner, _activation, inner);
        pass.Backend.MatMul(inner, _down, _downBias, y);
    }
}

/// <summary>
/// A gated network: <c>y = Wdown (f(Wgate x) · Wup x)</c>. Gate and up may lie in one matrix, gate first.
/// Source: Shazeer 2020, arXiv 2002.05202.
/// </summary>
internal sealed class GatedFeedForward : FeedForward
{
    private readonly Activation _activation;
    private readonly int _length;
    private readonly WeightMatrix? _gate;
    private readonly WeightVector? _gateBias;
    private readonly WeightMatrix _up;
    private readonly WeightVector? _upBias;
    private readonly WeightMatrix _down;
    private readonly WeightVector? _downBias;

    /// <param name="weights">The file's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="style">What the architecture says.</param>
    /// <param name="prefix">Before <c>gate</c>, <c>up</c> and <c>down</c>.</param>
    /// <param name="suffix">Behind them, before <c>.weight</c>.</param>
    /// <param name="length">Inner width.</param>
    public GatedFeedForward(WeightBinder weights, ModelConfig config, FeedForwardStyle style, string prefix, string suffix, int length)
    {
        bool fused = style.Kind == FeedForwardKind.FusedGate;
        int upRows = fused ? checked(2 * length) : length;
        (_activation, _length) = (style.Activation, length);
        _gate = fused ? null : weights.Matrix($"{prefix}gate{suffix}.weight", length, config.Width);
        _gateBias = fused ? null : weights.Bias($"{prefix}gate{suffix}.bias", length, style.Bias);
        _up = weights.Matrix($"{prefix}up{suffix}.weight", upRows, config.Width);
        _upBias = weights.Bias($"{prefix}up{suffix}.bias", upRows, style.Bias);
        _down = weights.Matrix($"{prefix}down{suffix}.weight", config.Width, length);
        _downBias = weights.Bias($"{prefix}down{suffix}.bias", config.Width, style.Bias);
    }

    public override void Forward(in Pass pass, Tensor x, Tensor y)
    {
        Tensor inner = pass.Inner.FirstRows(x.Rows);
        Tensor gate = inner.Columns(0, _length);
        Tensor up = inner.Columns(_length, _length);
        if (_gate is null)
        {
            pass.Backend.MatMul(x, _up, _upBias, inner.Columns(0, 2 * _length));
        }
        else
        {
            pass.Backend.MatMul(x, [new(_gate, _gateBias, gate), new(_up, _upBias, up)]);
        }

        pass.Backend.Gate(gate, up, _activation, gate);
        pass.Backend.MatMul(gate, _down, _downBias, y);
    }
}
