using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Mamba:
/// <code>
/// x = x + stateSpace(norm(x))      neither attention nor feed-forward networks
/// logits = output(norm(x))
/// </code>
/// Source: Gu and Dao 2023, arXiv 2312.00752, figure 3.
/// </summary>
internal sealed class Mamba : DecoderModel
{
    private readonly (Norm Norm, StateSpaceMixer Mixer)[] _layers;

    public Mamba(WeightBinder weights, ModelConfig config)
        : this(weights, config, config.StateSpace ?? throw weights.Lacks("ssm.state_size"))
    {
    }

    private Mamba(WeightBinder weights, ModelConfig config, StateSpaceConfig sizes)
        : base(weights, config, new Style { StateLength = StateSpaceMixer.StateLength(sizes), RecurrentWidth = StateSpaceMixer.ScratchWidth(sizes) }, [])
    {
        _layers = new (Norm, StateSpaceMixer)[config.LayerCount];
        for (int i = 0; i < _layers.Length; i++)
            _layers[i] = (new Norm(weights, $"blk.{i}.attn_norm", NormStyle.Rms, config.Width, config.NormEpsilon), new StateSpaceMixer(weights, config.Width, sizes, i));
    }

    protected override void Attend(int layer, in Pass pass)
    {
        _layers[layer].Norm.Forward(pass.Backend, pass.X, pass.Normed);
        _layers[layer].Mixer.Forward(pass, pass.Normed, pass.Branch);
        pass.Backend.Add(pass.X, pass.Branch, pass.X);
    }

    protected override void Transform(int layer, in Pass pass)
    {
    }

    private sealed record Style : StreamStyle;
}
