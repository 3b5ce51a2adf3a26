namespace Quern.Kernels.Cpu.Attention;

/// <summary>Writes keys and values of a batch's tokens to their slots; see <see cref="PagedKv"/> for the layout.</summary>
internal readonly unsafe struct StoreKv(Tensor keys, Tensor values, BatchView batch, LayerPages pages) : ITeamJob
{
    /// <summary>Values that are rounded before they are written where they belong, far apart.</summary>
    private const int Together = 64;

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
                Put(k, layer.KeyLength, _pages.Keys(page, head), offset, KvLayout.PageTokens);
                Put(v, layer.ValueLength, _pages.Values(page, head), (nint)offset * _pages.ValueStride, 1);
            }
        }
    }

    private void Put(float* source, int count, byte* target, nint first, int step)
    {
        if (_pages.Type == KvType.F32)
        {
            for (int i = 0; i < count; i++) ((float*)target)[first + ((nint)i * step)] = source[i];
            return;
        }

        if (step == 1)
        {
            Float16.Narrow(source, count, (ushort*)target + first);
            return;
        }

        ushort* narrowed = stackalloc ushort[Together];
        for (int i = 0; i < count; i += Together)
        {
            int here = Math.Min(Together, count - i);
            Float16.Narrow(source + i, here, narrowed);
            for (int j = 0; j < here; j++) ((ushort*)target)[first + ((nint)(i + j) * step)] = narrowed[j];
        }
    }
}
