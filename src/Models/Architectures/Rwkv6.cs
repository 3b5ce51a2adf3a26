using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// RWKV 6, Finch; p is the token before, of the same norm:
/// <code>
/// x = norm(embedding)
/// x = x + timeMix(norm(x))
/// x = x + channelMix(norm(x))      channelMix(x) = sigmoid(Wr lerp(x, p, μr)) · (Wv max(Wk lerp(x, p, μk), 0)²)
/// x = x / 2                        after every few layers, whose output matrices the file has halved as often
/// </code>
/// Source: Peng et al. 2024, arXiv 2404.05892, section 4.
/// </summary>
internal sealed class Rwkv6 : DecoderModel
{
    private readonly int _halveEvery;
    private readonly Layer[] _layers;

    public Rwkv6(WeightBinder weights, ModelConfig config)
        : this(weights, config, config.TimeMix ?? throw weights.Lacks("wkv.head_size"))
    {
    }

    private Rwkv6(WeightBinder weights, ModelConfig config, TimeMixConfig sizes)
        : base(weights, config, StyleOf(config.Width, sizes), [])
    {
        _halveEvery = sizes.HalveEvery;
        _layers = new Layer[config.LayerCount];
        for (int i = 0; i < _layers.Length; i++) _layers[i] = new Layer(weights, config, sizes, i);
    }

    // The channel mix sees the token before too: it cannot wait until only the rows of outputs are left.
    protected override void Attend(int layer, in Pass pass)
    {
        Layer l = _layers[layer];
        l.TimeNorm.Forward(pass.Backend, pass.X, pass.Normed);
        l.TimeMix.Forward(pass, pass.Normed, pass.Branch);
        pass.Backend.Add(pass.X, pass.Branch, pass.X);
        l.ChannelNorm.Forward(pass.Backend, pass.X, pass.Normed);
        l.ChannelMix.Forward(pass, pass.Normed, pass.Branch);
        pass.Backend.Add(pass.X, pass.Branch, pass.X);
        if (_halveEvery != 0 && (layer + 1) % _halveEvery == 0) pass.Backend.Scale(pass.X, 0.5f);
    }

    protected override void Transform(int layer, in Pass pass)
    {
    }

    private static Style StyleOf(int width, TimeMixConfig sizes) => new()
    {
        Norm = NormStyle.Layer,
        EmbeddingNorm = true,
        StateLength = TimeMix.StateLength(width, sizes),
        RecurrentWidth = TimeMix.ScratchWidth(width, sizes),
    };

    private sealed record Style : StreamStyle;

    private sealed class Layer(WeightBinder weights, ModelConfig config, TimeMixConfig sizes, int layer)
    {
        public Norm TimeNorm { get; } = new(weights, $"blk.{layer}.attn_norm", NormStyle.Layer, config.Width, config.NormEpsilon);

        public TimeMix TimeMix { get; } = new(weights, config.Width, sizes, layer);

        public Norm ChannelNorm { get; } = new(weights, $"blk.{layer}.attn_norm_2", NormStyle.Layer, config.Width, config.NormEpsilon);

        public ChannelMix ChannelMix { get; } = new(weights, config, layer);
    }

    private sealed class ChannelMix(WeightBinder weights, ModelConfig config, int layer)
    {
        private readonly int _width = config.Width;
        private readonly int _length = config.FeedForwardLength;
        private readonly LayerState _state = new(layer, config.Width);
        private readonly WeightVector _keyBlend = weights.Vector($"blk.{layer}.channel_mix_lerp_k.weight", config.Width);
        private readonly WeightVector _receptanceBlend = weights.Vector($"blk.{layer}.channel_mix_lerp_r.weight", config.Width);
        private readonly WeightMatrix _key = weights.Matrix($"blk.{layer}.channel_mix_key.weight", config.FeedForwardLength, config.Width);
        private readonly WeightMatrix _value = weights.Matrix($"blk.{layer}.channel_mix_value.weight", config.Width, config.FeedForwardLength);
        private readonly WeightMatrix _receptance = weights.Matrix($"blk.{layer}.channel_mix_receptance.weight", config.Width, config.Width);

        public void Forward(in Pass pass, Tensor x, Tensor y)
        {
            Backend backend = pass.Backend;
            Tensor before = pass.Recurrent.Columns(0, _width), blend = pass.Recurrent.Columns(_width, _width), receptance = pass.Recurrent.Columns(2 * _width, _width);
            Tensor key = pass.Inner.Columns(0, _length);
            backend.ShiftRows(x, pass.Batch, _state, pass.Cache, before);
            backend.Lerp(x, before, _keyBlend, blend);
            backend.MatMul(blend, _key, null, key);
            backend.Activate(key, Activation.ReluSquared, key);
            backend.MatMul(key, _value, null, y);
            backend.Lerp(x, before, _receptanceBlend, blend);
            backend.MatMul(blend, _receptance, null, receptance);
            backend.Gate(receptance, y, Activation.Sigmoid, y);
        }
    }
}
