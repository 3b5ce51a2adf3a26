namespace Quern.Kernels.Cpu.Attention;

/// <summary>Writes keys and values of a batch's tokens to their slots; see <see cref="PagedKv"/> for the layout.</summary>
internal readonly unsafe struct StoreKv(Tensor keys, Tensor values, BatchView batch, LayerPages pages) : ITeamJob
{
    private readonly Tensor _keys = keys;
    private readonly Tensor _values = values;
    private readonly BatchView _batch = batch;
    private readonly LayerPages _pages = pages;

    /// <summary>Items are rows of the batch.</summary>
    public void Run(int from, int to, int worker)
    {
        for (int row = from; row < to; row++)
        {
            (int page, int offset) = _batch.Place(row);
            float* k = (float*)_keys.Address + ((nint)row * _keys.Stride), v = (float*)_values.Address + ((nint)row * _values.Stride);
            KvLayer layer = _pages.Layer;
            for (int head = 0; head < layer.Heads; head++, k += layer.KeyLength, v += layer.ValueLength)
            {
                KvCodec.StoreKey(_pages.KeyType, k, layer.KeyLength, _pages.Keys(page, head), offset);
                KvCodec.StoreValue(_pages.ValueType, v, layer.ValueLength, _pages.ValueStride, _pages.Values(page, head), offset);
            }
        }
    }
}
