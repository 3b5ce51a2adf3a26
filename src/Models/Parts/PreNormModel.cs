using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>What a family says about its layers, beyond the sizes in <see cref="ModelConfig"/>.</summary>
internal sealed record PreNormStyle(AttentionStyle Attention)
{
    /// <summary>The function of the feed-forward's gate.</summary>
    public Activation Activation { get; init; } = Activation.Silu;

    /// <summary>Whether gate and up of a feed-forward lie in one matrix.</summary>
    public bool FusedGate { get; init; }

    /// <summary>Whether a branch is normed again before it is added.</summary>
    public bool PostNorms { get; init; }

    /// <summary>Factor on attention scores; <c>1/√(key length)</c> where null.</summary>
    public float? Scale { get; init; }

    /// <summary>The window of each layer, 0 for none; none anywhere where null.</summary>
    public int[]? Windows { get; init; }

    /// <summary>Which rope table each layer uses; the first everywhere where null.</summary>
    public int[]? Ropes { get; init; }
}

/// <summary>
/// Decoders of the form that most models have today, the branch's own norm where <see cref="PreNormStyle.PostNorms"/> says so:
/// <code>
/// x = x + norm(attention(norm(x)))
/// x = x + norm(feedForward(norm(x)))
/// </code>
/// Source: Xiong et al. 2020, arXiv 2002.04745.
/// </summary>
internal abstract class PreNormModel : DecoderModel
{
    private readonly Layer[] _layers;

    protected PreNormModel(WeightBinder weights, ModelConfig config, PreNormStyle style, params RopeTable[] ropes)
        : base(weights, config, ropes)
    {
        _layers = new Layer[config.LayerCount];
        for (int i = 0; i < _layers.Length; i++) _layers[i] = new Layer(weights, config, style, i);
    }

    protected sealed override void Attend(int layer, in Pass pass)
    {
        Layer l = _layers[layer];
        pass.Backend.RmsNorm(pass.X, l.AttentionNorm, Config.NormEpsilon, pass.Normed);
        l.Attention.Forward(pass, pass.Normed, pass.Branch);
        if (l.AttentionPostNorm is not null) pass.Backend.RmsNorm(pass.Branch, l.AttentionPostNorm, Config.NormEpsilon, pass.Branch);
        pass.Backend.Add(pass.X, pass.Branch, pass.X);
    }

    protected sealed override void Transform(int layer, in Pass pass)
    {
        Layer l = _layers[layer];
        pass.Backend.RmsNorm(pass.X, l.FeedForwardNorm, Config.NormEpsilon, pass.Normed);
        l.FeedForward.Forward(pass, pass.Normed, pass.Branch);
        if (l.FeedForwardPostNorm is not null) pass.Backend.RmsNorm(pass.Branch, l.FeedForwardPostNorm, Config.NormEpsilon, pass.Branch);
        pass.Backend.Add(pass.X, pass.Branch, pass.X);
    }

    private sealed class Layer
    {
        public Layer(WeightBinder weights, ModelConfig config, PreNormStyle style, int layer)
        {
            string prefix = $"blk.{layer}.";
            AttentionOptions options = new(
                config.HeadCount, style.Scale ?? (float)(1 / Math.Sqrt(config.KeyLength)), config.AttentionSoftCap, style.Windows?[layer] ?? 0);
            AttentionNorm = weights.Vector(prefix + "attn_norm.weight", config.Width);
            Attention = new SelfAttention(weights, config, style.Attention, layer, options, style.Ropes?[layer] ?? 0);
            FeedForwardNorm = weights.Vector(prefix + "ffn_norm.weight", config.Width);
            FeedForward = style.FusedGate
                ? new GatedFeedForward(weights, config, layer, style.Activation, fused: true)
                : FeedForward.Bind(weights, config, layer, style.Activation);
            if (!style.PostNorms) return;
            AttentionPostNorm = weights.Vector(prefix + "post_attention_norm.weight", config.Width);
            FeedForwardPostNorm = weights.Vector(prefix + "post_ffw_norm.weight", config.Width);
        }

        public WeightVector AttentionNorm { get; }

        public SelfAttention Attention { get; }

        public WeightVector? AttentionPostNorm { get; }

        public WeightVector FeedForwardNorm { get; }

        public FeedForward FeedForward { get; }

        public WeightVector? FeedForwardPostNorm { get; }
    }
}
