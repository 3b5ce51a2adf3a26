using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>Keys, values and states.</summary>
public sealed unsafe partial class GpuBackend
{
    /// <inheritdoc/>
    public override KvCache CreateKvCache(KvLayout layout) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void StoreKv(Tensor keys, Tensor values, Batch batch, int layer, KvCache cache) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Attention(Tensor queries, Batch batch, int layer, KvCache cache, AttentionOptions options, Tensor y) => throw new NotSupportedException();
}
