using System.Diagnostics;
using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>What a family says about what lies around its layers.</summary>
internal abstract record StreamStyle
{
    /// <summary>The model's norms.</summary>
    public NormStyle Norm { get; init; }

    /// <summary>Whether a learned vector of its position is added to a token's embedding. Source: Gehring et al. 2017, arXiv 1705.03122, section 3.1.</summary>
    public bool LearnedPositions { get; init; }

    /// <summary>Whether embeddings are normed.</summary>
    public bool EmbeddingNorm { get; init; }

    /// <summary>Factor on the embeddings.</summary>
    public float EmbeddingScale { get; init; } = 1;

    /// <summary>Whether the output matrix has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Factor on the logits.</summary>
    public float LogitScale { get; init; } = 1;

    /// <summary>Values of the state of a recurrent layer, 0 without.</summary>
    public int StateLength { get; init; }

    /// <summary>What a recurrent layer keeps of a token while it runs, 0 without.</summary>
    public int RecurrentWidth { get; init; }
}

/// <summary>
/// What decoders share: tokens become rows of a residual stream, every layer adds an attention and a feed-forward branch to it, and its last
/// norm times the output matrix gives the logits. A family says what its layers do.
/// </summary>
internal abstract class DecoderModel : Model
{
    private readonly StreamStyle _style;
    private readonly WeightMatrix _embedding;
    private readonly WeightMatrix? _positions;
    private readonly Norm? _embeddingNorm;
    private readonly Norm _outputNorm;
    private readonly WeightMatrix _output;
    private readonly WeightVector? _outputBias;
    private readonly PassSizes _sizes;
    private readonly RopeTable[] _ropes;
    private readonly Tensor[] _angles;
    private ExpertRoutes? _routes;

    protected DecoderModel(WeightBinder weights, ModelConfig config, StreamStyle style, RopeTable[] ropes)
        : base(config, [.. config.KvHeadCounts.Select(heads => new KvLayer(heads, config.KeyLength, config.ValueLength) { StateLength = style.StateLength })])
    {
        (_style, _sizes) = (style, PassSizes.Of(config));
        if (config.IsCausal == false) Task = ModelTask.Encoder;
        (_ropes, _angles) = (ropes, new Tensor[ropes.Length]);
        WeightMatrix? output = weights.MatrixIfPresent("output.weight", config.VocabularySize, config.Width);
        _embedding = output is null
            ? weights.Matrix("token_embd.weight", config.VocabularySize, config.Width)
            : weights.Table("token_embd.weight", config.VocabularySize, config.Width);
        if (style.LearnedPositions) _positions = weights.Table("position_embd.weight", config.ContextLength, config.Width);
        if (style.EmbeddingNorm) _embeddingNorm = new Norm(weights, "token_embd_norm", style.Norm, config.Width, config.NormEpsilon);
        _outputNorm = new Norm(weights, "output_norm", style.Norm, config.Width, config.NormEpsilon);
        _output = output ?? _embedding;
        if (style.OutputBias) _outputBias = weights.Vector("output.bias", config.VocabularySize);
        if (style.StateLength == 0) return;
        _sizes = _sizes with { Recurrent = style.RecurrentWidth };
        // A state is all that is left of what came before; that of the last full page is where one can go on from.
        if (config.HeadCount == 0) (Window, WindowedLayers) = (KvLayout.PageTokens + 1, [.. Enumerable.Repeat(true, config.LayerCount)]);
    }

    public sealed override void Forward(Batch batch, KvCache cache, Backend backend, Tensor logits)
    {
        if (Task == ModelTask.Encoder) throw new NotSupportedException($"{Config.Architecture}: attention.causal is false: the model reads a text as a whole and does not go on from it");
        Check(batch, cache, logits, Config.VocabularySize);
        Pass pass = Run(batch, cache, backend);
        if (batch.OutputCount == 0) return;
        _outputNorm.Forward(backend, pass.X, pass.Normed);
        backend.MatMul(pass.Normed, _output, _outputBias, logits);
        if (_style.LogitScale != 1) backend.Scale(logits, _style.LogitScale);
        if (Config.LogitSoftCap != 0) backend.SoftCap(logits, Config.LogitSoftCap);
    }

    public sealed override void Embed(Batch batch, KvCache cache, Backend backend, Tensor y)
    {
        Check(batch, cache, y, Config.Width);
        Pass pass = Run(batch, cache, backend);
        if (batch.OutputCount != 0) _outputNorm.Forward(backend, pass.X, y);
    }

    /// <summary>
    /// The first half of a layer: tokens look at each other. <c>x = x + …</c> for every row of the batch; what it leaves in <see cref="Pass.Normed"/> is there in the second half.
    /// </summary>
    protected abstract void Attend(int layer, in Pass pass);

    /// <summary>The second half of a layer: every token by itself; in the last layer only those whose logits are wanted.</summary>
    protected abstract void Transform(int layer, in Pass pass);

    /// <summary>All layers; what is left has the rows of the outputs, if there are any.</summary>
    private Pass Run(Batch batch, KvCache cache, Backend backend)
    {
        backend.BeginPass(batch);
        if (_sizes.Experts != 0 && (_routes is null || _routes.Tokens.Length < batch.TokenCount * _sizes.TopK))
            _routes = new ExpertRoutes(batch.Capacity, _sizes.TopK, _sizes.Experts);
        for (int i = 0; i < _ropes.Length; i++)
        {
            _angles[i] = backend.Take(batch.TokenCount, 2 * _ropes[i].Pairs);
            backend.RopeAngles(_ropes[i], batch.Positions, _angles[i]);
        }

        Pass pass = new(batch, cache, backend, _sizes, _angles, _routes);
        Embed(pass);
        for (int layer = 0; layer < Config.LayerCount; layer++)
        {
            backend.BeginLayer(layer, pass.X);
            Attend(layer, pass);
            if (layer == Config.LayerCount - 1)
            {
                if (batch.OutputCount == 0) return pass;
                pass = pass.KeepOutputs();
            }

            Transform(layer, pass);
        }

        return pass;
    }

    private void Embed(in Pass pass)
    {
        Backend backend = pass.Backend;
        backend.Embed(_embedding, pass.Batch.Tokens, pass.X);
        if (_style.EmbeddingScale != 1) backend.Scale(pass.X, _style.EmbeddingScale);
        if (_positions is not null)
        {
            backend.Embed(_positions, pass.Batch.Positions, pass.Branch);
            backend.Add(pass.X, pass.Branch, pass.X);
        }

        _embeddingNorm?.Forward(backend, pass.X, pass.X);
    }

    private void Check(Batch batch, KvCache cache, Tensor outputs, int width)
    {
        ArgumentNullException.ThrowIfNull(cache);
        Debug.Assert(cache.Layout.Layers.Count == Config.LayerCount, "the cache was made for another model");
        Check(batch, outputs, width);
        if (_positions is null) return;
        foreach (int position in batch.Positions)
            if (position >= _positions.Rows)
                throw new ArgumentException($"position {position} has no embedding; the model has learned {_positions.Rows}", nameof(batch));
    }
}
