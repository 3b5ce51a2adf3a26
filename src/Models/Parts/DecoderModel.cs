using System.Diagnostics;
using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>
/// What decoders share: tokens become rows of a residual stream, every layer adds an attention and a feed-forward branch to it, and its last
/// norm times the output matrix gives the logits. A family says what its layers do.
/// </summary>
internal abstract class DecoderModel : Model
{
    private readonly WeightMatrix _embedding;
    private readonly WeightVector _outputNorm;
    private readonly WeightMatrix _output;
    private readonly PassSizes _sizes;
    private readonly RopeTable[] _ropes;
    private readonly Tensor[] _angles;
    private ExpertRoutes? _routes;

    protected DecoderModel(WeightBinder weights, ModelConfig config, params RopeTable[] ropes)
        : base(config, [.. config.KvHeadCounts.Select(heads => new KvLayer(heads, config.KeyLength, config.ValueLength))])
    {
        _sizes = PassSizes.Of(config);
        (_ropes, _angles) = (ropes, new Tensor[ropes.Length]);
        WeightMatrix? output = weights.MatrixIfPresent("output.weight", config.VocabularySize, config.Width);
        _embedding = output is null
            ? weights.Matrix("token_embd.weight", config.VocabularySize, config.Width)
            : weights.Table("token_embd.weight", config.VocabularySize, config.Width);
        _outputNorm = weights.Vector("output_norm.weight", config.Width);
        _output = output ?? _embedding;
    }

    /// <summary>Factor on the embeddings.</summary>
    protected float EmbeddingScale { get; init; } = 1;

    public sealed override void Forward(Batch batch, KvCache cache, Backend backend, Tensor logits)
    {
        Check(batch, cache, logits);
        backend.BeginPass();
        if (_sizes.Experts != 0 && (_routes is null || _routes.Tokens.Length < batch.TokenCount * _sizes.TopK))
            _routes = new ExpertRoutes(batch.Capacity, _sizes.TopK, _sizes.Experts);
        for (int i = 0; i < _ropes.Length; i++)
        {
            _angles[i] = backend.Take(batch.TokenCount, 2 * _ropes[i].Pairs);
            backend.RopeAngles(_ropes[i], batch.Positions, _angles[i]);
        }

        Pass pass = new(batch, cache, backend, _sizes, _angles, _routes);
        backend.Embed(_embedding, batch.Tokens, pass.X);
        if (EmbeddingScale != 1) backend.Scale(pass.X, EmbeddingScale);
        for (int layer = 0; layer < Config.LayerCount; layer++)
        {
            Attend(layer, pass);
            if (layer == Config.LayerCount - 1)
            {
                if (batch.OutputCount == 0) return;
                pass = pass.KeepOutputs();
            }

            Transform(layer, pass);
        }

        backend.RmsNorm(pass.X, _outputNorm, Config.NormEpsilon, pass.Normed);
        backend.MatMul(pass.Normed, _output, null, logits);
        if (Config.LogitSoftCap != 0) backend.SoftCap(logits, Config.LogitSoftCap);
    }

    /// <summary>The first half of a layer: tokens look at each other. <c>x = x + …</c> for every row of the batch.</summary>
    protected abstract void Attend(int layer, in Pass pass);

    /// <summary>The second half of a layer: every token by itself; in the last layer only those whose logits are wanted.</summary>
    protected abstract void Transform(int layer, in Pass pass);

    private void Check(Batch batch, KvCache cache, Tensor logits)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(cache);
        Debug.Assert(cache.Layout.Layers.Count == Config.LayerCount, "the cache was made for another model");
        if (batch.TokenCount == 0) throw new ArgumentException("the batch has no tokens", nameof(batch));
        if (batch.OutputCount != 0 && (logits.Rows != batch.OutputCount || logits.Cols != Config.VocabularySize))
            throw new ArgumentException($"logits are [{logits.Rows}, {logits.Cols}]; expected [{batch.OutputCount}, {Config.VocabularySize}]", nameof(logits));
        foreach (int token in batch.Tokens)
            if ((uint)token >= (uint)Config.VocabularySize)
                throw new ArgumentException($"token {token} is not in the vocabulary of {Config.VocabularySize}", nameof(batch));
    }
}
