using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>
/// A mixture of gated networks: a router picks the experts of a token, whose results are added with its weights; an expert that all tokens share is added to them,
/// times its own gate's sigmoid where it has one.
/// Source: Shazeer et al. 2017, arXiv 1701.06538; Jiang et al. 2024, arXiv 2401.04088; Dai et al. 2024, arXiv 2401.06066 (shared experts).
/// </summary>
internal sealed class ExpertFeedForward : FeedForward
{
    private readonly Activation _activation;
    private readonly RouteOptions _options;
    private readonly int _length;
    private readonly WeightMatrix _router;
    private readonly WeightVector? _routerBias;
    private readonly WeightMatrix _gate;
    private readonly WeightVector? _gateBias;
    private readonly WeightMatrix _up;
    private readonly WeightVector? _upBias;
    private readonly WeightMatrix _down;
    private readonly WeightVector? _downBias;
    private readonly GatedFeedForward? _shared;
    private readonly WeightMatrix? _sharedGate;

    public ExpertFeedForward(WeightBinder weights, ModelConfig config, ExpertConfig experts, FeedForwardStyle style, int layer)
    {
        string prefix = $"blk.{layer}.ffn_";
        int count = experts.Count;
        (_activation, _length) = (style.Activation, experts.FeedForwardLength);
        _options = new RouteOptions(experts.UsedCount, experts.WeightsNorm ?? style.NormaliseExperts, experts.WeightsScale)
        {
            Score = experts.Score,
            SelectionBias = weights.VectorIfPresent($"blk.{layer}.exp_probs_b.bias", count),
        };
        _router = weights.Matrix(prefix + "gate_inp.weight", count, config.Width);
        _routerBias = weights.Bias(prefix + "gate_inp.bias", count, style.Bias);
        _gate = weights.Experts(prefix + "gate_exps.weight", count, _length, config.Width);
        _gateBias = weights.Biases(prefix + "gate_exps.bias", count, _length, style.Bias);
        _up = weights.Experts(prefix + "up_exps.weight", count, _length, config.Width);
        _upBias = weights.Biases(prefix + "up_exps.bias", count, _length, style.Bias);
        _down = weights.Experts(prefix + "down_exps.weight", count, config.Width, _length);
        _downBias = weights.Biases(prefix + "down_exps.bias", count, config.Width, style.Bias);
        if (experts.SharedFeedForwardLength == 0) return;
        _shared = new GatedFeedForward(weights, config, style, prefix, "_shexp", experts.SharedFeedForwardLength);
        if (style.SharedGate) _sharedGate = weights.Matrix(prefix + "gate_inp_shexp.weight", 1, config.Width);
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

        backend.MatMul(x, _router, _routerBias, logits);
        backend.Route(logits, _options, routes);
        backend.MatMulExperts(x, byToken: true, _gate, _gateBias, routes, gate);
        backend.MatMulExperts(x, byToken: true, _up, _upBias, routes, up);
        backend.Gate(gate, up, _activation, gate);
        backend.MatMulExperts(gate, byToken: false, _down, _downBias, routes, down);
        backend.CombineExperts(down, routes, y);
        if (_shared is not null) AddShared(pass, x, down.FirstRows(x.Rows), logits.Columns(0, 1), y);
    }

    private void AddShared(in Pass pass, Tensor x, Tensor shared, Tensor gate, Tensor y)
    {
        _shared!.Forward(pass, x, shared);
        if (_sharedGate is not null)
        {
            pass.Backend.MatMul(x, _sharedGate, null, gate);
            pass.Backend.GateRows(shared, gate, shared);
        }

        pass.Backend.Add(y, shared, y);
    }
}
