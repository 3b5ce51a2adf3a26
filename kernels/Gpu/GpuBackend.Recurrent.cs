using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>Operations with a state.</summary>
public sealed unsafe partial class GpuBackend
{
    /// <inheritdoc/>
    public override void ShiftRows(Tensor x, Batch batch, LayerState state, KvCache cache, Tensor y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void CausalConvolution(Tensor x, WeightVector weights, WeightVector bias, Batch batch, LayerState state, KvCache cache, Tensor y) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SelectiveScan(Tensor x, Tensor delta, Tensor b, Tensor c, WeightVector a, WeightVector d, Batch batch, LayerState state, KvCache cache, Tensor y) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public override void OuterProductScan(Tensor r, Tensor k, Tensor v, Tensor w, WeightVector u, int headLength, Batch batch, LayerState state, KvCache cache, Tensor y) =>
        throw new NotSupportedException();
}
