using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>
/// Attention of a decoder over what an encoder made of a text: <c>y = Wo · attention(Wq x, Wk m, Wv m)</c>. Keys and values of the text m lie in the slots of its tokens, where those of the decoder's
/// own attention would be: a sequence's prefix. Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.2.3.
/// </summary>
internal sealed class CrossAttention : Attention
{
    private readonly int _layer;
    private readonly WeightMatrix _query;
    private readonly WeightMatrix _key;
    private readonly WeightMatrix _value;
    private readonly WeightMatrix _output;
    private readonly AttentionOptions _options;

    /// <param name="weights">The file's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="style">What the architecture says.</param>
    /// <param name="layer">Layer number.</param>
    public CrossAttention(WeightBinder weights, ModelConfig config, AttentionStyle style, int layer)
    {
        int kvHeads = config.KvHeadCounts[layer];
        string prefix = $"blk.{layer}.cross_{style.Name}_";
        _layer = layer;
        _query = weights.Matrix(prefix + "q.weight", config.HeadCount * config.KeyLength, config.Width);
        _key = weights.Matrix(prefix + "k.weight", kvHeads * config.KeyLength, config.Width);
        _value = weights.Matrix(prefix + "v.weight", kvHeads * config.ValueLength, config.Width);
        _output = weights.Matrix($"{prefix}{style.OutputName}.weight", config.Width, config.HeadCount * config.ValueLength);
        _options = (style with { SeesAll = true, RelativeBias = null }).Options(config, layer, null);
    }

    /// <summary>Stores keys and values of texts.</summary>
    /// <param name="pass">The pass of the encoder.</param>
    /// <param name="memory">[n, width] what it made of the texts' tokens.</param>
    public void Keep(in Pass pass, Tensor memory)
    {
        Tensor keys = pass.Qkv.Columns(0, _key.Rows), values = pass.Qkv.Columns(_key.Rows, _value.Rows);
        pass.Backend.MatMul(memory, [new(_key, null, keys), new(_value, null, values)]);
        pass.Backend.StoreKv(keys, values, pass.Batch, _layer, pass.Cache);
    }

    public override void Forward(in Pass pass, Tensor x, Tensor y)
    {
        Tensor queries = pass.Qkv.Columns(0, _query.Rows);
        pass.Backend.MatMul(x, _query, null, queries);
        pass.Backend.Attention(queries, pass.Batch, _layer, pass.Cache, _options, pass.Attended);
        pass.Backend.MatMul(pass.Attended, _output, null, y);
    }
}
