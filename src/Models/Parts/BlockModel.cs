using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>Where the norms of a layer's branches stand.</summary>
internal enum NormPlaces
{
    /// <summary>Before a branch. Source: Xiong et al. 2020, arXiv 2002.04745.</summary>
    Before,

    /// <summary>Behind a branch, before it is added. Source: Team OLMo 2024, arXiv 2501.00656, section 3.2.</summary>
    Behind,

    /// <summary>Both. Source: Gemma team 2024, arXiv 2408.00118.</summary>
    BothSides,
}

/// <summary>What a family says about its layers, beyond the sizes in <see cref="ModelConfig"/>.</summary>
/// <param name="Attention">Its attention.</param>
/// <param name="FeedForward">Its feed-forward networks.</param>
internal sealed record BlockStyle(AttentionStyle Attention, FeedForwardStyle FeedForward) : StreamStyle
{
    /// <summary>Where norms stand.</summary>
    public NormPlaces Norms { get; init; }

    /// <summary>
    /// Whether both branches start from the same residual stream: <c>x = x + attention(norm(x)) + feedForward(norm(x))</c>.
    /// Source: Wang and Komatsuzaki 2021, GPT-J; Black et al. 2022, arXiv 2204.06745, section 2.1.
    /// </summary>
    public bool Parallel { get; init; }

    /// <summary>Name of the norm before attention.</summary>
    public string AttentionNorm { get; init; } = "attn_norm";

    /// <summary>Name of the norm before the feed-forward network; null where parallel branches share attention's.</summary>
    public string? FeedForwardNorm { get; init; } = "ffn_norm";

    /// <summary>Factor on what a branch adds.</summary>
    public float ResidualScale { get; init; } = 1;
}

/// <summary>
/// Decoders of the form that most models have, each norm where <see cref="BlockStyle"/> says so:
/// <code>
/// x = x + norm(attention(norm(x)))
/// x = x + norm(feedForward(norm(x)))
/// </code>
/// </summary>
internal abstract class BlockModel : DecoderModel
{
    private readonly BlockStyle _style;
    private readonly Layer[] _layers;

    protected BlockModel(WeightBinder weights, ModelConfig config, BlockStyle style, params RopeTable[] ropes)
        : base(weights, config, style, ropes)
    {
        _style = style;
        if (config.IsCausal == false && style.Attention.Windows is not null)
            throw weights.KeyError("attention.causal", "it holds false; layers with a window do not read a text as a whole");
        if (style.Attention.Windows is { } windows && windows.Any(window => window > 0)) (Window, WindowedLayers) = (windows.Max(), [.. windows.Select(window => window > 0)]);
        _layers = new Layer[config.LayerCount];
        if (config.HeadCount == 0) throw weights.KeyError("attention.head_count", "it holds 0; expected at least 1");
        for (int i = 0; i < _layers.Length; i++) _layers[i] = new Layer(weights, config, style, i);
    }

    protected sealed override void Attend(int layer, in Pass pass)
    {
        Layer l = _layers[layer];
        l.AttentionNorm?.Forward(pass.Backend, pass.X, pass.Normed);
        l.Attention.Forward(pass, l.AttentionNorm is null ? pass.X : pass.Normed, pass.Branch);
        if (_style.Parallel) l.FeedForwardNorm?.Forward(pass.Backend, pass.X, pass.Normed);
        AddBranch(pass, l.AttentionPostNorm);
    }

    protected sealed override void Transform(int layer, in Pass pass)
    {
        Layer l = _layers[layer];
        if (!_style.Parallel) l.FeedForwardNorm?.Forward(pass.Backend, pass.X, pass.Normed);
        l.FeedForward.Forward(pass, _style.Norms == NormPlaces.Behind ? pass.X : pass.Normed, pass.Branch);
        AddBranch(pass, l.FeedForwardPostNorm);
    }

    private void AddBranch(in Pass pass, Norm? norm)
    {
        norm?.Forward(pass.Backend, pass.Branch, pass.Branch);
        if (_style.ResidualScale != 1) pass.Backend.Scale(pass.Branch, _style.ResidualScale);
        pass.Backend.Add(pass.X, pass.Branch, pass.X);
    }

    private sealed class Layer
    {
        public Layer(WeightBinder weights, ModelConfig config, BlockStyle style, int layer)
        {
            Norm Bind(string name) => new(weights, $"blk.{layer}.{name}", style.Norm, config.Width, config.NormEpsilon);

            bool before = style.Norms != NormPlaces.Behind, behind = style.Norms != NormPlaces.Before;
            if (before) AttentionNorm = Bind(style.AttentionNorm);
            Attention = config.Latent is { } latent
                ? new LatentAttention(weights, config, latent, style.Attention, layer)
                : new SelfAttention(weights, config, style.Attention, layer);
            if (behind) AttentionPostNorm = Bind("post_attention_norm");
            if (before && style.FeedForwardNorm is { } name) FeedForwardNorm = Bind(name);
            FeedForward = FeedForward.Bind(weights, config, style.FeedForward, layer);
            if (behind) FeedForwardPostNorm = Bind("post_ffw_norm");
        }

        public Norm? AttentionNorm { get; }

        public Attention Attention { get; }

        public Norm? AttentionPostNorm { get; }

        public Norm? FeedForwardNorm { get; }

        public FeedForward FeedForward { get; }

        public Norm? FeedForwardPostNorm { get; }
    }
}
