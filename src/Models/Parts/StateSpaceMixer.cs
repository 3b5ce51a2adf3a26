using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>
/// A selective state space, in the place of attention and feed-forward network:
/// <code>
/// u, z = Win x
/// u = silu(convolution(u))
/// δ, B, C = Wx u
/// y = Wout (scan(u, Δ = softplus(Wdt δ), A, B, C, D) · silu(z))
/// </code>
/// Its state is the convolution's, then the scan's. Source: Gu and Dao 2023, arXiv 2312.00752, algorithm 2 and figure 3.
/// </summary>
internal sealed class StateSpaceMixer
{
    private readonly StateSpaceConfig _sizes;
    private readonly LayerState _convolutionState;
    private readonly LayerState _scanState;
    private readonly WeightMatrix _in;
    private readonly WeightVector _convolution;
    private readonly WeightVector _convolutionBias;
    private readonly WeightMatrix _selection;
    private readonly WeightMatrix _timeStep;
    private readonly WeightVector _timeStepBias;
    private readonly WeightVector _a;
    private readonly WeightVector _d;
    private readonly WeightMatrix _out;

    /// <param name="weights">The file's tensors.</param>
    /// <param name="width">Width of the residual stream.</param>
    /// <param name="sizes">Its own sizes.</param>
    /// <param name="layer">Layer number.</param>
    public StateSpaceMixer(WeightBinder weights, int width, StateSpaceConfig sizes, int layer)
    {
        string prefix = $"blk.{layer}.ssm_";
        int inner = sizes.InnerWidth;
        _sizes = sizes;
        _convolutionState = new LayerState(layer, 0);
        _scanState = new LayerState(layer, ConvolutionStateLength(sizes));
        _in = weights.Matrix(prefix + "in.weight", checked(2 * inner), width);
        _convolution = weights.Vectors(prefix + "conv1d.weight", inner, sizes.Taps);
        _convolutionBias = weights.Vector(prefix + "conv1d.bias", inner);
        _selection = weights.Matrix(prefix + "x.weight", checked(sizes.TimeStepRank + (2 * sizes.StateLength)), inner);
        _timeStep = weights.Matrix(prefix + "dt.weight", inner, sizes.TimeStepRank);
        _timeStepBias = weights.Vector(prefix + "dt.bias", inner);
        _a = weights.Vectors(prefix + "a", inner, sizes.StateLength);
        _d = weights.Vector(prefix + "d", inner);
        _out = weights.Matrix(prefix + "out.weight", width, inner);
    }

    /// <summary>Values of its state.</summary>
    public static int StateLength(StateSpaceConfig sizes) => checked(ConvolutionStateLength(sizes) + (sizes.InnerWidth * sizes.StateLength));

    /// <summary>What <see cref="Pass.Recurrent"/> has to hold: u, z, the convolution and Δ, then δ, B and C.</summary>
    public static int ScratchWidth(StateSpaceConfig sizes) => checked((4 * sizes.InnerWidth) + sizes.TimeStepRank + (2 * sizes.StateLength));

    /// <param name="pass">The pass.</param>
    /// <param name="x">[n, width].</param>
    /// <param name="y">[n, width].</param>
    public void Forward(in Pass pass, Tensor x, Tensor y)
    {
        Backend backend = pass.Backend;
        int inner = _sizes.InnerWidth, rank = _sizes.TimeStepRank, length = _sizes.StateLength;
        Tensor z = pass.Recurrent.Columns(inner, inner), u = pass.Recurrent.Columns(2 * inner, inner), delta = pass.Recurrent.Columns(3 * inner, inner);
        Tensor selected = pass.Recurrent.Columns(4 * inner, rank + (2 * length));
        backend.MatMul(x, _in, null, pass.Recurrent.Columns(0, 2 * inner));
        backend.CausalConvolution(pass.Recurrent.Columns(0, inner), _convolution, _convolutionBias, pass.Batch, _convolutionState, pass.Cache, u);
        backend.Activate(u, Activation.Silu, u);
        backend.MatMul(u, _selection, null, selected);
        backend.MatMul(selected.Columns(0, rank), _timeStep, _timeStepBias, delta);
        backend.Activate(delta, Activation.Softplus, delta);
        backend.SelectiveScan(u, delta, selected.Columns(rank, length), selected.Columns(rank + length, length), _a, _d, pass.Batch, _scanState, pass.Cache, u);
        backend.Gate(z, u, Activation.Silu, u);
        backend.MatMul(u, _out, null, y);
    }

    private static int ConvolutionStateLength(StateSpaceConfig sizes) => checked((sizes.Taps - 1) * sizes.InnerWidth);
}
