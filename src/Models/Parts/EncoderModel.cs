using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>What a family says about its encoder, beyond the sizes in <see cref="ModelConfig"/>.</summary>
/// <param name="Attention">Its attention.</param>
/// <param name="FeedForward">Its feed-forward networks.</param>
internal sealed record EncoderStyle(AttentionStyle Attention, FeedForwardStyle FeedForward)
{
    /// <summary>Whether a learned vector of its position is added to a token's embedding.</summary>
    public bool LearnedPositions { get; init; }
}

/// <summary>
/// Encoders that norm the sum of a branch and the stream, every token seeing the whole text:
/// <code>
/// x = norm(embedding + segment (+ position))        all tokens are of the first segment
/// x = norm(x + attention(x))
/// x = norm(x + feedForward(x))
/// </code>
/// Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.1; Devlin et al. 2018, arXiv 1810.04805, section 3.
/// </summary>
internal abstract class EncoderModel : Model
{
    private readonly WeightMatrix _embedding;
    private readonly WeightMatrix? _positions;
    private readonly WeightVector? _segment;
    private readonly Norm _embeddingNorm;
    private readonly Layer[] _layers;
    private readonly Classifier? _classifier;
    private readonly PassSizes _sizes;
    private readonly RopeTable[] _ropes;
    private readonly Tensor[] _angles;

    // Keys and values are looked at only in the pass that stores them, so all layers share one of the cache.
    protected EncoderModel(WeightBinder weights, ModelConfig config, EncoderStyle style, params RopeTable[] ropes)
        : base(config, [new KvLayer(config.KvHeadCounts[0], config.KeyLength, config.ValueLength) { IsShared = true }])
    {
        Task = ModelTask.Encoder;
        if (config.HeadCount == 0) throw weights.KeyError("attention.head_count", "it holds 0; expected at least 1");
        if (config.IsCausal == true) throw weights.KeyError("attention.causal", "it holds true; expected false: the model reads a text as a whole");
        if (config.Experts is not null) throw weights.KeyError("expert_count", "encoders with experts are not supported");
        foreach (int heads in config.KvHeadCounts)
            if (heads != config.KvHeadCounts[0]) throw weights.KeyError("attention.head_count_kv", "its values differ from layer to layer; expected one value for all layers");
        (_sizes, _ropes, _angles) = (PassSizes.Of(config), ropes, new Tensor[ropes.Length]);
        _embedding = weights.Table("token_embd.weight", config.VocabularySize, config.Width);
        _segment = weights.FirstRowIfPresent("token_types.weight", config.Width);
        if (style.LearnedPositions) _positions = weights.Table("position_embd.weight", config.ContextLength, config.Width);
        _embeddingNorm = new Norm(weights, "token_embd_norm", NormStyle.Layer, config.Width, config.NormEpsilon);
        _layers = new Layer[config.LayerCount];
        for (int i = 0; i < _layers.Length; i++) _layers[i] = new Layer(weights, config, style with { Attention = style.Attention with { SeesAll = true, CacheLayer = 0 } }, i);
        _classifier = Classifier.BindIfPresent(weights, config.Width);
    }

    public sealed override int LabelCount => _classifier?.LabelCount ?? 0;

    public sealed override void Forward(Batch batch, KvCache cache, Backend backend, Tensor logits) =>
        throw new NotSupportedException($"{Config.Architecture} is an encoder: it makes vectors of texts and does not go on from them");

    public sealed override void Embed(Batch batch, KvCache cache, Backend backend, Tensor y)
    {
        Check(batch, y, Config.Width);
        Tensor x = Run(batch, cache, backend);
        if (batch.OutputCount != 0) backend.GatherRows(x, batch.Outputs, y);
    }

    public sealed override void Rank(Batch batch, KvCache cache, Backend backend, Tensor y)
    {
        if (_classifier is null)
        {
            base.Rank(batch, cache, backend, y);
            return;
        }

        Check(batch, y, LabelCount);
        Tensor x = Run(batch, cache, backend), wanted = backend.Take(batch.OutputCount, Config.Width);
        backend.GatherRows(x, batch.Outputs, wanted);
        _classifier.Forward(backend, wanted, y);
    }

    private Tensor Run(Batch batch, KvCache cache, Backend backend)
    {
        backend.BeginPass(batch);
        for (int i = 0; i < _ropes.Length; i++)
        {
            _angles[i] = backend.Take(batch.TokenCount, 2 * _ropes[i].Pairs);
            backend.RopeAngles(_ropes[i], batch.Positions, _angles[i]);
        }

        Pass pass = new(batch, cache, backend, _sizes, _angles, null);
        EmbedTokens(pass);
        for (int i = 0; i < _layers.Length; i++)
        {
            Layer layer = _layers[i];
            backend.BeginLayer(i, pass.X);
            layer.Attention.Forward(pass, pass.X, pass.Branch);
            backend.Add(pass.X, pass.Branch, pass.X);
            layer.AttentionNorm.Forward(backend, pass.X, pass.X);
            layer.FeedForward.Forward(pass, pass.X, pass.Branch);
            backend.Add(pass.X, pass.Branch, pass.X);
            layer.FeedForwardNorm.Forward(backend, pass.X, pass.X);
        }

        return pass.X;
    }

    private void EmbedTokens(in Pass pass)
    {
        Backend backend = pass.Backend;
        backend.Embed(_embedding, pass.Batch.Tokens, pass.X);
        if (_segment is not null) backend.AddBias(pass.X, _segment, pass.X);
        if (_positions is not null)
        {
            foreach (int position in pass.Batch.Positions)
                if (position >= _positions.Rows) throw new ArgumentException($"position {position} has no embedding; the model has learned {_positions.Rows}");
            backend.Embed(_positions, pass.Batch.Positions, pass.Branch);
            backend.Add(pass.X, pass.Branch, pass.X);
        }

        _embeddingNorm.Forward(backend, pass.X, pass.X);
    }

    private sealed class Layer(WeightBinder weights, ModelConfig config, EncoderStyle style, int layer)
    {
        public Attention Attention { get; } = new SelfAttention(weights, config, style.Attention, layer);

        public Norm AttentionNorm { get; } = new(weights, $"blk.{layer}.attn_output_norm", NormStyle.Layer, config.Width, config.NormEpsilon);

        public FeedForward FeedForward { get; } = FeedForward.Bind(weights, config, style.FeedForward, layer);

        public Norm FeedForwardNorm { get; } = new(weights, $"blk.{layer}.layer_output_norm", NormStyle.Layer, config.Width, config.NormEpsilon);
    }
}
