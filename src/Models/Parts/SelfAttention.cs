using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>The part of a layer in which tokens look at each other.</summary>
internal abstract class Attention
{
    /// <param name="pass">The pass; its batch's keys and values are stored on the way.</param>
    /// <param name="x">[n, width].</param>
    /// <param name="y">[n, width].</param>
    public abstract void Forward(in Pass pass, Tensor x, Tensor y);
}

/// <summary>
/// Grouped-query attention: <c>y = Wo · attention(turn(norm(Wq x)), turn(norm(Wk x)), Wv x)</c>, rotation, norms and biases where the model has them.
/// Source: Vaswani et al. 2017, arXiv 1706.03762; Shazeer 2019, arXiv 1911.02150 (one KV head); Ainslie et al. 2023, arXiv 2305.13245 (groups).
/// </summary>
internal sealed class SelfAttention : Attention
{
    private readonly AttentionStyle _style;
    private readonly AttentionOptions _options;
    private readonly int _layer;
    private readonly int _rope;
    private readonly int _keyLength;
    private readonly int _queryWidth;
    private readonly int _keyWidth;
    private readonly int _valueWidth;
    private readonly WeightMatrix? _qkv;
    private readonly WeightVector? _qkvBias;
    private readonly WeightMatrix? _query;
    private readonly WeightVector? _queryBias;
    private readonly WeightMatrix? _key;
    private readonly WeightVector? _keyBias;
    private readonly WeightMatrix? _value;
    private readonly WeightVector? _valueBias;
    private readonly Norm? _queryNorm;
    private readonly Norm? _keyNorm;
    private readonly WeightMatrix _output;
    private readonly WeightVector? _outputBias;

    /// <param name="weights">The file's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="style">What the architecture says.</param>
    /// <param name="layer">Layer number.</param>
    public SelfAttention(WeightBinder weights, ModelConfig config, AttentionStyle style, int layer)
    {
        int kvHeads = config.KvHeadCounts[layer];
        (_style, _layer, _keyLength) = (style, style.CacheLayer ?? layer, config.KeyLength);
        _rope = style.Pairing is null ? AttentionStyle.NoRope : style.Ropes?[layer] ?? 0;
        _queryWidth = config.HeadCount * config.KeyLength;
        _keyWidth = kvHeads * config.KeyLength;
        _valueWidth = kvHeads * config.ValueLength;

        string prefix = $"blk.{layer}.{style.Name}_";
        if (weights.Has(prefix + "qkv.weight"))
        {
            int rows = _queryWidth + _keyWidth + _valueWidth;
            _qkv = weights.Matrix(prefix + "qkv.weight", rows, config.Width);
            _qkvBias = weights.Bias(prefix + "qkv.bias", rows, style.QkvBias);
        }
        else
        {
            _query = weights.Matrix(prefix + "q.weight", _queryWidth, config.Width);
            _queryBias = weights.Bias(prefix + "q.bias", _queryWidth, style.QkvBias);
            _key = weights.Matrix(prefix + "k.weight", _keyWidth, config.Width);
            _keyBias = weights.Bias(prefix + "k.bias", _keyWidth, style.QkvBias);
            _value = weights.Matrix(prefix + "v.weight", _valueWidth, config.Width);
            _valueBias = weights.Bias(prefix + "v.bias", _valueWidth, style.QkvBias);
        }

        _queryNorm = BindNorm(weights, prefix + "q_norm", config, config.HeadCount);
        _keyNorm = BindNorm(weights, prefix + "k_norm", config, kvHeads);
        _options = style.Options(config, layer, style.Sinks ? weights.Vector(prefix + "sinks.weight", config.HeadCount) : null);
        _output = weights.Matrix($"{prefix}{style.OutputName}.weight", config.Width, config.HeadCount * config.ValueLength);
        _outputBias = weights.Bias($"{prefix}{style.OutputName}.bias", config.Width, style.OutputBias);
    }

    public override void Forward(in Pass pass, Tensor x, Tensor y)
    {
        Backend backend = pass.Backend;
        Tensor qkv = pass.Qkv.Columns(0, _queryWidth + _keyWidth + _valueWidth);
        Tensor queries = qkv.Columns(0, _queryWidth);
        Tensor keys = qkv.Columns(_queryWidth, _keyWidth);
        Tensor values = qkv.Columns(_queryWidth + _keyWidth, _valueWidth);
        if (_qkv is not null)
        {
            backend.MatMul(x, _qkv, _qkvBias, qkv);
        }
        else
        {
            backend.MatMul(x, [new(_query!, _queryBias, queries), new(_key!, _keyBias, keys), new(_value!, _valueBias, values)]);
        }

        if (_style.Clamp != 0) backend.Clamp(qkv, _style.Clamp);
        _queryNorm?.Forward(backend, queries, queries);
        _keyNorm?.Forward(backend, keys, keys);
        if (_rope != AttentionStyle.NoRope && _style.Pairing is { } pairing)
        {
            backend.Rope(queries, _keyLength, pass.Angles[_rope], pairing);
            backend.Rope(keys, _keyLength, pass.Angles[_rope], pairing);
        }

        backend.StoreKv(keys, values, pass.Batch, _layer, pass.Cache);
        backend.Attention(queries, pass.Batch, _layer, pass.Cache, _options, pass.Attended);
        backend.MatMul(pass.Attended, _output, _outputBias, y);
    }

    private Norm? BindNorm(WeightBinder weights, string name, ModelConfig config, int heads) => _style.Norms switch
    {
        QueryKeyNorm.Heads => new Norm(weights, name, NormStyle.Rms, config.KeyLength, config.NormEpsilon),
        QueryKeyNorm.EachHead => Norm.OfEachHead(weights, name, heads, config.KeyLength, config.NormEpsilon),
        QueryKeyNorm.Width => new Norm(weights, name, NormStyle.Rms, heads * config.KeyLength, config.NormEpsilon),
        _ => null,
    };
}
