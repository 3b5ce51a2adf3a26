using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>What a family says about its encoder and its decoder, beyond the sizes in <see cref="ModelConfig"/>.</summary>
/// <param name="Attention">The attention of both.</param>
/// <param name="FeedForward">The feed-forward networks of both.</param>
internal sealed record EncoderDecoderStyle(AttentionStyle Attention, FeedForwardStyle FeedForward);

/// <summary>
/// Models that read a text and write another one. The encoder, every token seeing the whole text:
/// <code>
/// x = x + attention(norm(x))
/// x = x + feedForward(norm(x))
/// m = norm(x)
/// </code>
/// The decoder, a token seeing what was written before it and the text:
/// <code>
/// x = x + attention(norm(x))
/// x = x + attention(norm(x), m)
/// x = x + feedForward(norm(x))
/// logits = output(norm(x))
/// </code>
/// A sequence in the cache is the text, whose slots hold what the decoder looks at, and behind it what is written. Source: Vaswani et al. 2017, arXiv 1706.03762, figure 1.
/// </summary>
internal abstract class EncoderDecoderModel : Model
{
    private readonly WeightMatrix _embedding;
    private readonly WeightMatrix _output;
    private readonly Layer[] _encoder;
    private readonly Layer[] _decoder;
    private readonly CrossAttention[] _cross;
    private readonly Norm[] _crossNorms;
    private readonly Norm _encoderNorm;
    private readonly Norm _decoderNorm;
    private readonly PassSizes _sizes;

    // Layers of the encoder look at keys and values only in the pass that stores them, so they share one of the cache, behind those of the decoder.
    protected EncoderDecoderModel(WeightBinder weights, ModelConfig config, EncoderDecoderStyle style)
        : base(config, KvLayersOf(config))
    {
        Task = ModelTask.EncoderDecoder;
        if (config.HeadCount == 0) throw weights.KeyError("attention.head_count", "it holds 0; expected at least 1");
        if (config.DecoderStart is not { } start) throw weights.Lacks("decoder_start_token_id");
        if (start >= config.VocabularySize) throw weights.KeyError("decoder_start_token_id", $"it holds {start}; expected a token below {config.VocabularySize}");
        if (config.RelativeBuckets < 4 || config.RelativeBuckets % 4 != 0)
            throw weights.KeyError("attention.relative_buckets_count", $"it holds {config.RelativeBuckets}; expected a multiple of 4, at least 4");
        if (config.Experts is not null) throw weights.KeyError("expert_count", "encoders with experts are not supported");
        foreach (int heads in config.KvHeadCounts)
            if (heads != config.KvHeadCounts[0]) throw weights.KeyError("attention.head_count_kv", "its values differ from layer to layer; expected one value for all layers");
        _sizes = PassSizes.Of(config);
        WeightMatrix? output = weights.MatrixIfPresent("output.weight", config.VocabularySize, config.Width);
        _embedding = output is null
            ? weights.Matrix("token_embd.weight", config.VocabularySize, config.Width)
            : weights.Table("token_embd.weight", config.VocabularySize, config.Width);
        _output = output ?? _embedding;

        WeightBinder encoder = weights.Below("enc."), decoder = weights.Below("dec.");
        ModelConfig written = config with { LayerCount = config.DecoderLayerCount, KvHeadCounts = [.. Enumerable.Repeat(config.KvHeadCounts[0], config.DecoderLayerCount)] };
        EncoderDecoderStyle reading = style with { Attention = style.Attention with { SeesAll = true, CacheLayer = config.DecoderLayerCount } };
        _encoder = new Layer[config.LayerCount];
        for (int i = 0; i < _encoder.Length; i++) _encoder[i] = new Layer(encoder, config, reading, i);
        (_decoder, _cross, _crossNorms) = (new Layer[written.LayerCount], new CrossAttention[written.LayerCount], new Norm[written.LayerCount]);
        for (int i = 0; i < _decoder.Length; i++)
        {
            _decoder[i] = new Layer(decoder, written, style, i);
            _crossNorms[i] = new Norm(decoder, $"blk.{i}.cross_attn_norm", NormStyle.Rms, config.Width, config.NormEpsilon);
            _cross[i] = new CrossAttention(decoder, written, style.Attention, i);
        }

        _encoderNorm = new Norm(encoder, "output_norm", NormStyle.Rms, config.Width, config.NormEpsilon);
        _decoderNorm = new Norm(decoder, "output_norm", NormStyle.Rms, config.Width, config.NormEpsilon);
    }

    public sealed override void Encode(Batch batch, KvCache cache, Backend backend)
    {
        Pass pass = Read(batch, cache, backend);
        for (int i = 0; i < _cross.Length; i++)
        {
            backend.BeginLayer(_encoder.Length + i, pass.Normed);
            _cross[i].Keep(pass, pass.Normed);
        }
    }

    public sealed override void Embed(Batch batch, KvCache cache, Backend backend, Tensor y)
    {
        Check(batch, y, Config.Width);
        Pass pass = Read(batch, cache, backend);
        if (batch.OutputCount == 0) return;
        backend.BeginLayer(_encoder.Length + _decoder.Length, pass.Normed);
        backend.GatherRows(pass.Normed, batch.Outputs, y);
    }

    public sealed override void Forward(Batch batch, KvCache cache, Backend backend, Tensor logits)
    {
        Check(batch, logits, Config.VocabularySize);
        foreach (SequenceRun run in batch.Runs)
            if (run.Prefix == 0 || run.FirstSlot < run.Prefix)
                throw new ArgumentException($"tokens from slot {run.FirstSlot} on are in the batch with a prefix of {run.Prefix}; expected a text that was read before them", nameof(batch));
        Pass pass = Begin(batch, cache, backend);
        for (int i = 0; i < _decoder.Length; i++)
        {
            Layer layer = _decoder[i];
            backend.BeginLayer(_encoder.Length + i, pass.X);
            layer.Attend(pass);
            _crossNorms[i].Forward(backend, pass.X, pass.Normed);
            _cross[i].Forward(pass, pass.Normed, pass.Branch);
            backend.Add(pass.X, pass.Branch, pass.X);
            if (i == _decoder.Length - 1)
            {
                if (batch.OutputCount == 0) return;
                pass = pass.KeepOutputs();
            }

            layer.Transform(pass);
        }

        _decoderNorm.Forward(backend, pass.X, pass.Normed);
        backend.MatMul(pass.Normed, _output, null, logits);
    }

    private static KvLayer[] KvLayersOf(ModelConfig config)
    {
        KvLayer layer = new(config.KvHeadCounts[0], config.KeyLength, config.ValueLength);
        return [.. Enumerable.Repeat(layer, config.DecoderLayerCount), layer with { IsShared = true }];
    }

    // What the encoder makes of whole texts, in Normed.
    private Pass Read(Batch batch, KvCache cache, Backend backend)
    {
        CheckTokens(batch);
        CheckWhole(batch);
        Pass pass = Begin(batch, cache, backend);
        for (int i = 0; i < _encoder.Length; i++)
        {
            backend.BeginLayer(i, pass.X);
            _encoder[i].Attend(pass);
            _encoder[i].Transform(pass);
        }

        _encoderNorm.Forward(backend, pass.X, pass.Normed);
        return pass;
    }

    private Pass Begin(Batch batch, KvCache cache, Backend backend)
    {
        backend.BeginPass(batch);
        Pass pass = new(batch, cache, backend, _sizes, [], null);
        backend.Embed(_embedding, batch.Tokens, pass.X);
        return pass;
    }

    private sealed class Layer(WeightBinder weights, ModelConfig config, EncoderDecoderStyle style, int layer)
    {
        private readonly Norm _attentionNorm = new(weights, $"blk.{layer}.attn_norm", NormStyle.Rms, config.Width, config.NormEpsilon);
        private readonly SelfAttention _attention =
            new(weights, config, style.Attention with { RelativeBias = RelativeBias.Bind(weights, config, layer, style.Attention.SeesAll) }, layer);
        private readonly Norm _feedForwardNorm = new(weights, $"blk.{layer}.ffn_norm", NormStyle.Rms, config.Width, config.NormEpsilon);
        private readonly FeedForward _feedForward = FeedForward.Bind(weights, config, style.FeedForward, layer);

        public void Attend(in Pass pass)
        {
            _attentionNorm.Forward(pass.Backend, pass.X, pass.Normed);
            _attention.Forward(pass, pass.Normed, pass.Branch);
            pass.Backend.Add(pass.X, pass.Branch, pass.X);
        }

        public void Transform(in Pass pass)
        {
            _feedForwardNorm.Forward(pass.Backend, pass.X, pass.Normed);
            _feedForward.Forward(pass, pass.Normed, pass.Branch);
            pass.Backend.Add(pass.X, pass.Branch, pass.X);
        }
    }
}
