using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>The part of a layer that works on every token by itself.</summary>
internal abstract class FeedForward
{
    /// <param name="pass">The pass.</param>
    /// <param name="x">[n, width].</param>
    /// <param name="y">[n, width].</param>
    public abstract void Forward(in Pass pass, Tensor x, Tensor y);

    /// <summary>The experts of a layer where the model has them, a dense network otherwise.</summary>
    public static FeedForward Bind(WeightBinder weights, ModelConfig config, int layer, Activation activation) => config.ExpertCount == 0
        ? new GatedFeedForward(weights, config, layer, activation)
        : new ExpertFeedForward(weights, config, layer, activation);
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

    public GatedFeedForward(WeightBinder weights, ModelConfig config, int layer, Activation activation, bool fused = false)
    {
        string prefix = $"blk.{layer}.ffn_";
        int upRows = fused ? checked(2 * config.FeedForwardLength) : config.FeedForwardLength;
        (_activation, _length) = (activation, config.FeedForwardLength);
        _gate = fused ? null : weights.Matrix(prefix + "gate.weight", _length, config.Width);
        _gateBias = fused ? null : weights.VectorIfPresent(prefix + "gate.bias", _length);
        _up = weights.Matrix(prefix + "up.weight", upRows, config.Width);
        _upBias = weights.VectorIfPresent(prefix + "up.bias", upRows);
        _down = weights.Matrix(prefix + "down.weight", config.Width, _length);
        _downBias = weights.VectorIfPresent(prefix + "down.bias", config.Width);
    }

    public override void Forward(in Pass pass, Tensor x, Tensor y)
    {
        Tensor inner = pass.Inner.FirstRows(x.Rows);
        Tensor gate = inner.Columns(0, _length);
        Tensor up = inner.Columns(_length, _length);
        if (_gate is null)
        {
            pass.Backend.MatMul(x, _up, _upBias, inner);
        }
        else
        {
            pass.Backend.MatMul(x, [new(_gate, _gateBias, gate), new(_up, _upBias, up)]);
        }

        pass.Backend.Gate(gate, up, _activation, gate);
        pass.Backend.MatMul(gate, _down, _downBias, y);
    }
}

/// <summary>
/// A mixture of gated networks: a router's softmax picks the experts of a token, whose results are added with its weights, divided by their sum.
/// Source: Shazeer et al. 2017, arXiv 1701.06538; Jiang et al. 2024, arXiv 2401.04088.
/// </summary>
internal sealed class ExpertFeedForward : FeedForward
{
    private readonly Activation _activation;
    private readonly RouteOptions _options;
    private readonly int _length;
    private readonly WeightMatrix _router;
    private readonly WeightMatrix _gate;
    private readonly WeightMatrix _up;
    private readonly WeightMatrix _down;

    public ExpertFeedForward(WeightBinder weights, ModelConfig config, int layer, Activation activation)
    {
        string prefix = $"blk.{layer}.ffn_";
        (_activation, _length) = (activation, config.ExpertFeedForwardLength);
        _options = new RouteOptions(config.ExpertUsedCount, Normalise: true);
        _router = weights.Matrix(prefix + "gate_inp.weight", config.ExpertCount, config.Width);
        _gate = weights.Experts(prefix + "gate_exps.weight", config.ExpertCount, _length, config.Width);
        _up = weights.Experts(prefix + "up_exps.weight", config.ExpertCount, _length, config.Width);
        _down = weights.Experts(prefix + "down_exps.weight", config.ExpertCount, config.Width, _length);
    }

    public override void Forward(in Pass pass, Tensor x, Tensor y)
    {
        Backend backend = pass.Backend;
        ExpertRoutes routes = pass.Routes!;
        int pairs = x.Rows * _options.TopK;
        Tensor logits = pass.RouterLogits.FirstRows(x.Rows);
        Tensor gate = pass.ExpertInner.FirstRows(pairs).Columns(0, _length);
        Tensor up = pass.ExpertInner.FirstRows(pairs).Columns(_length, _length);
        Tensor down = pass.ExpertOut.FirstRows(pairs);

        backend.MatMul(x, _router, null, logits);
        backend.Route(logits, _options, routes);
        backend.MatMulExperts(x, byToken: true, _gate, routes, gate);
        backend.MatMulExperts(x, byToken: true, _up, routes, up);
        backend.Gate(gate, up, _activation, gate);
        backend.MatMulExperts(gate, byToken: false, _down, routes, down);
        backend.CombineExperts(down, routes, y);
    }
}
