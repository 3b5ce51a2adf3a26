using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>
/// Latent attention: keys and values of all heads are products of one short vector c, and a short key t, the only part that is turned, is shared by all heads:
/// <code>
/// c, t = Wa x            c = norm(c), t = turn(t)
/// q    = Wq x            or Wqb norm(Wqa x); the end of every head's q is turned
/// k, v = Wb c            of every head; its key is k, t
/// y    = Wo · attention(q, (k, t), v)
/// </code>
/// Absorbed, q · Wk c is written as (Wkᵀ q) · c, and Σ w Wv c as Wv Σ w c: the cache holds c and t alone, one head for all.
/// Source: DeepSeek-AI 2024, arXiv 2405.04434, section 2.1.2 and appendix C.
/// </summary>
internal sealed class LatentAttention : Attention
{
    private readonly LatentConfig _sizes;
    private readonly AttentionOptions _options;
    private readonly RopePairing _pairing;
    private readonly int _layer;
    private readonly int _heads;
    private readonly int _turned;
    private readonly WeightMatrix? _queryDown;
    private readonly Norm? _queryNorm;
    private readonly WeightMatrix _query;
    private readonly WeightMatrix _latent;
    private readonly Norm _latentNorm;
    private readonly WeightMatrix? _keysAndValues;
    private readonly WeightMatrix? _absorbedKeys;
    private readonly WeightMatrix? _absorbedValues;
    private readonly WeightMatrix _output;

    /// <param name="weights">The file's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="sizes">Sizes of this attention.</param>
    /// <param name="style">What the architecture says.</param>
    /// <param name="layer">Layer number.</param>
    public LatentAttention(WeightBinder weights, ModelConfig config, LatentConfig sizes, AttentionStyle style, int layer)
    {
        (_sizes, _layer, _heads, _turned) = (sizes, layer, config.HeadCount, config.Rope.Dimensions);
        (_options, _pairing) = (style.Options(config, layer, null), style.Pairing ?? RopePairing.Interleaved);
        string prefix = $"blk.{layer}.attn_";
        if (sizes.QueryRank != 0)
        {
            _queryDown = weights.Matrix(prefix + "q_a.weight", sizes.QueryRank, config.Width);
            _queryNorm = new Norm(weights, prefix + "q_a_norm", NormStyle.Rms, sizes.QueryRank, config.NormEpsilon);
            _query = weights.Matrix(prefix + "q_b.weight", _heads * sizes.KeyLength, sizes.QueryRank);
        }
        else
        {
            _query = weights.Matrix(prefix + "q.weight", _heads * sizes.KeyLength, config.Width);
        }

        _latent = weights.Matrix(prefix + "kv_a_mqa.weight", sizes.Rank + _turned, config.Width);
        _latentNorm = new Norm(weights, prefix + "kv_a_norm", NormStyle.Rms, sizes.Rank, config.NormEpsilon);
        int still = sizes.KeyLength - _turned;
        if (sizes.IsAbsorbed)
        {
            _absorbedKeys = weights.Heads(prefix + "k_b.weight", _heads, sizes.Rank, still);
            _absorbedValues = weights.Heads(prefix + "v_b.weight", _heads, sizes.ValueLength, sizes.Rank);
        }
        else
        {
            _keysAndValues = weights.Matrix(prefix + "kv_b.weight", _heads * (still + sizes.ValueLength), sizes.Rank);
        }

        _output = weights.Matrix(prefix + "output.weight", config.Width, _heads * sizes.ValueLength);
    }

    /// <summary>Values of a token that the part keeps beside queries, keys and values.</summary>
    public static int ScratchWidth(LatentConfig sizes, int heads, int turned)
    {
        int latent = sizes.QueryRank + sizes.Rank + turned;
        return checked(latent + (heads * (sizes.KeyLength + sizes.ValueLength)));
    }

    public override void Forward(in Pass pass, Tensor x, Tensor y)
    {
        Backend backend = pass.Backend;
        int latentWidth = _sizes.Rank + _turned, queryWidth = _heads * _sizes.KeyLength, still = _sizes.KeyLength - _turned;
        Tensor latent = pass.Latent.Columns(0, latentWidth);
        Tensor c = latent.Columns(0, _sizes.Rank), t = latent.Columns(_sizes.Rank, _turned);
        Tensor rest = pass.Latent.Columns(latentWidth + _sizes.QueryRank, _heads * (_sizes.KeyLength + _sizes.ValueLength));
        Tensor queries = _sizes.IsAbsorbed ? rest.Columns(0, queryWidth) : pass.Qkv.Columns(0, queryWidth);
        if (_queryDown is not null)
        {
            Tensor down = pass.Latent.Columns(latentWidth, _sizes.QueryRank);
            backend.MatMul(x, [new(_latent, null, latent), new(_queryDown, null, down)]);
            _queryNorm!.Forward(backend, down, down);
            backend.MatMul(down, _query, null, queries);
        }
        else
        {
            backend.MatMul(x, [new(_latent, null, latent), new(_query, null, queries)]);
        }

        _latentNorm.Forward(backend, c, c);
        backend.Rope(t, _turned, pass.Angles[0], _pairing);
        backend.Rope(queries.Columns(still, queryWidth - still), _sizes.KeyLength, pass.Angles[0], _pairing);
        Tensor attended = _sizes.IsAbsorbed ? AttendLatent(pass, queries, latent, rest) : AttendHeads(pass, queries, c, t, rest);
        backend.MatMul(attended, _output, null, y);
    }

    /// <summary>Every head with keys and values of its own.</summary>
    private Tensor AttendHeads(in Pass pass, Tensor queries, Tensor c, Tensor t, Tensor rest)
    {
        Backend backend = pass.Backend;
        int still = _sizes.KeyLength - _turned, pair = still + _sizes.ValueLength;
        Tensor keysAndValues = rest.Columns(0, _heads * pair);
        Tensor keys = pass.Qkv.Columns(queries.Cols, _heads * _sizes.KeyLength);
        Tensor values = pass.Qkv.Columns(queries.Cols + keys.Cols, _heads * _sizes.ValueLength);
        backend.MatMul(c, _keysAndValues!, null, keysAndValues);
        backend.CopyHeads(keysAndValues, pair, _heads, still, keys, _sizes.KeyLength);
        backend.CopyHeads(t, 0, _heads, _turned, keys.Columns(still, keys.Cols - still), _sizes.KeyLength);
        backend.CopyHeads(keysAndValues.Columns(still, keysAndValues.Cols - still), pair, _heads, _sizes.ValueLength, values, _sizes.ValueLength);
        backend.StoreKv(keys, values, pass.Batch, _layer, pass.Cache);
        backend.Attention(queries, pass.Batch, _layer, pass.Cache, _options, pass.Attended);
        return pass.Attended;
    }

    /// <summary>All heads with the latent vector as their key and value.</summary>
    private Tensor AttendLatent(in Pass pass, Tensor queries, Tensor latent, Tensor rest)
    {
        Backend backend = pass.Backend;
        int still = _sizes.KeyLength - _turned;
        Tensor absorbed = pass.Qkv.Columns(0, _heads * latent.Cols);
        backend.MatMulHeads(queries, _sizes.KeyLength, _absorbedKeys!, absorbed, latent.Cols);
        backend.CopyHeads(
            queries.Columns(still, queries.Cols - still), _sizes.KeyLength, _heads, _turned, absorbed.Columns(_sizes.Rank, absorbed.Cols - _sizes.Rank), latent.Cols);
        backend.StoreKv(latent, latent.Columns(0, _sizes.Rank), pass.Batch, _layer, pass.Cache);
        backend.Attention(absorbed, pass.Batch, _layer, pass.Cache, _options, pass.Attended);
        Tensor values = rest.Columns(queries.Cols, _heads * _sizes.ValueLength);
        backend.MatMulHeads(pass.Attended, _sizes.Rank, _absorbedValues!, values, _sizes.ValueLength);
        return values;
    }
}
