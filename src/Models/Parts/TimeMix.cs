using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>
/// A matrix-valued state in the place of attention; □ is each of w, k, v, r and g, and p the token before:
/// <code>
/// b = lerp(x, p, μx)
/// □x = lerp(x, p, μ□ + tanh(b A□) B□)
/// r, k, v = Wr rx, Wk kx, Wv vx;  g = silu(Wg gx)
/// w = e^(−e^(d + tanh(wx Ad) Bd))
/// y = Wo (norm(scan(r, k, v, w, u)) · g)      each head is normed by itself
/// </code>
/// Its state is the token before, then the scan's; a channel mix has one more token before between them. Source: Peng et al. 2024, arXiv 2404.05892, section 4.
/// </summary>
internal sealed class TimeMix
{
    private const int Blends = 5;

    // 1e-5 times the square of the 8 that heads were divided by when the first models were trained.
    private const float HeadEpsilon = 64e-5f;

    private readonly TimeMixConfig _sizes;
    private readonly int _width;
    private readonly LayerState _shiftState;
    private readonly LayerState _scanState;
    private readonly WeightVector _blend;
    private readonly WeightMatrix _blendDown;
    private readonly WeightMatrix _blendUp;
    private readonly WeightVector _blends;
    private readonly WeightMatrix _decayDown;
    private readonly WeightMatrix _decayUp;
    private readonly WeightVector _decay;
    private readonly WeightVector _first;
    private readonly WeightMatrix _receptance;
    private readonly WeightMatrix _key;
    private readonly WeightMatrix _value;
    private readonly WeightMatrix _gate;
    private readonly WeightVector _normGain;
    private readonly WeightVector _normBias;
    private readonly WeightMatrix _output;

    /// <param name="weights">The file's tensors.</param>
    /// <param name="width">Width of the residual stream.</param>
    /// <param name="sizes">Its own sizes.</param>
    /// <param name="layer">Layer number.</param>
    public TimeMix(WeightBinder weights, int width, TimeMixConfig sizes, int layer)
    {
        string prefix = $"blk.{layer}.time_mix_";
        (_sizes, _width) = (sizes, width);
        _shiftState = new LayerState(layer, 0);
        _scanState = new LayerState(layer, 2 * width);
        _blend = weights.Vector(prefix + "lerp_x.weight", width);
        _blendDown = weights.Matrix(prefix + "w1.weight", checked(Blends * sizes.BlendRank), width);
        _blendUp = weights.Heads(prefix + "w2.weight", Blends, width, sizes.BlendRank);
        _blends = weights.Vectors(prefix + "lerp_fused.weight", Blends, width);
        _decayDown = weights.Matrix(prefix + "decay_w1.weight", sizes.DecayRank, width);
        _decayUp = weights.Matrix(prefix + "decay_w2.weight", width, sizes.DecayRank);
        _decay = weights.Vector(prefix + "decay.weight", width);
        _first = weights.Vectors(prefix + "first.weight", width / sizes.HeadLength, sizes.HeadLength);
        _receptance = weights.Matrix(prefix + "receptance.weight", width, width);
        _key = weights.Matrix(prefix + "key.weight", width, width);
        _value = weights.Matrix(prefix + "value.weight", width, width);
        _gate = weights.Matrix(prefix + "gate.weight", width, width);
        _normGain = weights.Vector(prefix + "ln.weight", width);
        _normBias = weights.Vector(prefix + "ln.bias", width);
        _output = weights.Matrix(prefix + "output.weight", width, width);
    }

    /// <summary>Values of the state, a channel mix's token before included.</summary>
    public static int StateLength(int width, TimeMixConfig sizes) => checked((2 * width) + (width * sizes.HeadLength));

    /// <summary>What <see cref="Pass.Recurrent"/> has to hold: the token before, five blends, five products, and what is between them.</summary>
    public static int ScratchWidth(int width, TimeMixConfig sizes) => checked(((1 + (2 * Blends)) * width) + LowWidth(sizes));

    /// <param name="pass">The pass.</param>
    /// <param name="x">[n, width].</param>
    /// <param name="y">[n, width].</param>
    public void Forward(in Pass pass, Tensor x, Tensor y)
    {
        Backend backend = pass.Backend;
        Tensor before = Part(pass, 0), low = pass.Recurrent.Columns((1 + (2 * Blends)) * _width, LowWidth(_sizes));
        Tensor down = low.Columns(0, Blends * _sizes.BlendRank), blends = pass.Recurrent.Columns(_width, Blends * _width);
        Tensor w = Part(pass, 6), k = Part(pass, 7), v = Part(pass, 8), r = Part(pass, 9), g = Part(pass, 10);

        backend.ShiftRows(x, pass.Batch, _shiftState, pass.Cache, before);
        backend.Lerp(x, before, _blend, y);
        backend.MatMul(y, _blendDown, null, down);
        backend.Activate(down, Activation.Tanh, down);
        backend.MatMulHeads(down, _sizes.BlendRank, _blendUp, blends, _width);
        backend.AddBias(blends, _blends, blends);
        for (int i = 1; i <= Blends; i++) backend.Lerp(x, before, Part(pass, i), Part(pass, i));

        Tensor decay = low.Columns(0, _sizes.DecayRank);
        backend.MatMul(Part(pass, 1), _decayDown, null, decay);
        backend.Activate(decay, Activation.Tanh, decay);
        backend.MatMul(decay, _decayUp, _decay, w);
        backend.Activate(w, Activation.Decay, w);
        backend.MatMul(Part(pass, 2), _key, null, k);
        backend.MatMul(Part(pass, 3), _value, null, v);
        backend.MatMul(Part(pass, 4), _receptance, null, r);
        backend.MatMul(Part(pass, 5), _gate, null, g);

        backend.OuterProductScan(r, k, v, w, _first, _sizes.HeadLength, pass.Batch, _scanState, pass.Cache, before);
        backend.LayerNorm(before, _sizes.HeadLength, _normGain, _normBias, HeadEpsilon, before);
        backend.Gate(g, before, Activation.Silu, before);
        backend.MatMul(before, _output, null, y);
    }

    private static int LowWidth(TimeMixConfig sizes) => Math.Max(checked(Blends * sizes.BlendRank), sizes.DecayRank);

    private Tensor Part(in Pass pass, int index) => pass.Recurrent.Columns(index * _width, _width);
}
