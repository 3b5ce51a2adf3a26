using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Attention;
using Quern.Kernels.Gpu.Recurrent;

namespace Quern.Kernels.Gpu;

/// <summary>Operations with a state.</summary>
public sealed unsafe partial class GpuBackend
{
    private const int StateThreads = 64;
    private GpuKernel<ShiftArguments>? _shift;
    private GpuKernel<ConvolutionArguments>? _convolution;
    private GpuKernel<SelectiveScanArguments>? _selectiveScan;
    private GpuKernel<OuterProductArguments>? _outerProductScan;

    /// <inheritdoc/>
    public override void ShiftRows(Tensor x, Batch batch, LayerState state, KvCache cache, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _shift ??= new GpuKernel<ShiftArguments>(_device, Recurrent.ShiftRows.Kernel);
        Run(_shift, new ShiftArguments(Place(x), Place(y), States(batch, state, cache)), y.Cols, batch);
    }

    /// <inheritdoc/>
    public override void CausalConvolution(Tensor x, WeightVector weights, WeightVector bias, Batch batch, LayerState state, KvCache cache, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(batch);
        _convolution ??= new GpuKernel<ConvolutionArguments>(_device, Recurrent.CausalConvolution.Kernel);
        Run(_convolution, new ConvolutionArguments(Place(x), Offset(weights), Offset(bias), weights.Length / x.Cols, Place(y), States(batch, state, cache)), y.Cols, batch);
    }

    /// <inheritdoc/>
    public override void SelectiveScan(Tensor x, Tensor delta, Tensor b, Tensor c, WeightVector a, WeightVector d, Batch batch, LayerState state, KvCache cache, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _selectiveScan ??= new GpuKernel<SelectiveScanArguments>(_device, Recurrent.SelectiveScan.Kernel);
        Run(_selectiveScan, new SelectiveScanArguments(Place(x), Place(delta), Place(b), Place(c), Offset(a), Offset(d), Place(y), States(batch, state, cache)), y.Cols, batch);
    }

    /// <inheritdoc/>
    public override void OuterProductScan(Tensor r, Tensor k, Tensor v, Tensor w, WeightVector u, int headLength, Batch batch, LayerState state, KvCache cache, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _outerProductScan ??= new GpuKernel<OuterProductArguments>(_device, Recurrent.OuterProductScan.Kernel);
        Run(_outerProductScan, new OuterProductArguments(Place(r), Place(k), Place(v), Place(w), Offset(u), headLength, Place(y), States(batch, state, cache)), y.Cols, batch);
    }

    private void Run<T>(GpuKernel<T> kernel, T arguments, int parts, Batch batch)
        where T : unmanaged
    {
        int threads = Threads(StateThreads);
        kernel.Run(_arena.Memory, arguments, Groups(parts, threads), batch.RunCount, threads);
    }

    private StatePlaces States(Batch batch, LayerState state, KvCache cache)
    {
        GpuKvCache pages = (GpuKvCache)cache;
        return new StatePlaces(pages.State(state.Layer) + ((long)state.First * sizeof(float)), pages.Keys(state.Layer).PageBytes, _inputs.Require(batch));
    }
}
