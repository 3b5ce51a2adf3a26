using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>What an architecture says about its attention, beyond the sizes in <see cref="ModelConfig"/>.</summary>
/// <param name="Pairing">Which values a rotation turns together.</param>
/// <param name="QkvBias">Whether the file must have biases of Q, K and V; where it need not, they are used if they are there.</param>
/// <param name="HeadNorms">Whether every head of Q and K is normed before it is turned.</param>
internal readonly record struct AttentionStyle(RopePairing Pairing, bool QkvBias = false, bool HeadNorms = false);

/// <summary>
/// Grouped-query attention with a rotary encoding:
/// <c>y = Wo · attention(turn(norm(Wq x)), turn(norm(Wk x)), Wv x)</c>, norms and biases where the model has them.
/// Source: Vaswani et al. 2017, arXiv 1706.03762; Ainslie et al. 2023, arXiv 2305.13245; Henry et al. 2020, arXiv 2010.04245 (norms).
/// </summary>
internal sealed class SelfAttention
{
    private readonly ModelConfig _config;
    private readonly AttentionStyle _style;
    private readonly AttentionOptions _options;
    private readonly int _layer;
    private readonly int _angles;
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
    private readonly WeightVector? _queryNorm;
    private readonly WeightVector? _keyNorm;
    private readonly WeightMatrix _output;
    private readonly WeightVector? _outputBias;

    /// <param name="weights">The file's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="style">What the architecture says.</param>
    /// <param name="layer">Layer number.</param>
    /// <param name="options">Scale, cap and window of this layer.</param>
    /// <param name="angles">Which of the pass's tables turns Q and K.</param>
    public SelfAttention(WeightBinder weights, ModelConfig config, AttentionStyle style, int layer, AttentionOptions options, int angles = 0)
    {
        (_config, _style, _layer, _options, _angles) = (config, style, layer, options, angles);
        int kvHeads = config.KvHeadCounts[layer];
        _queryWidth = config.HeadCount * config.KeyLength;
        _keyWidth = kvHeads * config.KeyLength;
        _valueWidth = kvHeads * config.ValueLength;

        string prefix = $"blk.{layer}.attn_";
        if (weights.Has(prefix + "qkv.weight"))
        {
            int rows = _queryWidth + _keyWidth + _valueWidth;
            _qkv = weights.Matrix(prefix + "qkv.weight", rows, config.Width);
            _qkvBias = Bias(weights, prefix + "qkv.bias", rows);
        }
        else
        {
            _query = weights.Matrix(prefix + "q.weight", _queryWidth, config.Width);
            _queryBias = Bias(weights, prefix + "q.bias", _queryWidth);
            _key = weights.Matrix(prefix + "k.weight", _keyWidth, config.Width);
            _keyBias = Bias(weights, prefix + "k.bias", _keyWidth);
            _value = weights.Matrix(prefix + "v.weight", _valueWidth, config.Width);
            _valueBias = Bias(weights, prefix + "v.bias", _valueWidth);
        }

        if (style.HeadNorms)
        {
            _queryNorm = weights.Vector(prefix + "q_norm.weight", config.KeyLength);
            _keyNorm = weights.Vector(prefix + "k_norm.weight", config.KeyLength);
        }

        _output = weights.Matrix(prefix + "output.weight", config.Width, config.HeadCount * config.ValueLength);
        _outputBias = weights.VectorIfPresent(prefix + "output.bias", config.Width);
    }

    /// <param name="pass">The pass; its batch's keys and values are stored on the way.</param>
    /// <param name="x">[n, width].</param>
    /// <param name="y">[n, width].</param>
    public void Forward(in Pass pass, Tensor x, Tensor y)
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

        if (_queryNorm is not null && _keyNorm is not null)
        {
            backend.RmsNorm(queries, _queryNorm, _config.NormEpsilon, queries);
            backend.RmsNorm(keys, _keyNorm, _config.NormEpsilon, keys);
        }

        backend.Rope(queries, _config.KeyLength, pass.Angles[_angles], _style.Pairing);
        backend.Rope(keys, _config.KeyLength, pass.Angles[_angles], _style.Pairing);
        backend.StoreKv(keys, values, pass.Batch, _layer, pass.Cache);
        backend.Attention(queries, pass.Batch, _layer, pass.Cache, _options, pass.Attended);
        backend.MatMul(pass.Attended, _output, _outputBias, y);
    }

    private WeightVector? Bias(WeightBinder weights, string name, int length) =>
        _style.QkvBias ? weights.Vector(name, length) : weights.VectorIfPresent(name, length);
}
