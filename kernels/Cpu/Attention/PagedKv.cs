using Quern.Kernels.Cpu.Memory;

namespace Quern.Kernels.Cpu.Attention;

/// <summary>
/// Pages of keys and values in native memory. In a page of a layer, per KV head: keys as <c>[key length][32 tokens]</c>, transposed, so that the scores of 32 tokens
/// are sums of whole vectors and nothing is added across lanes; then for all heads values as <c>[32 tokens][value length]</c>, rows padded to 16 values.
/// </summary>
internal sealed unsafe class PagedKv : KvCache
{
    private readonly NativeBlock _block;
    private readonly nint[] _layers;

    public PagedKv(KvLayout layout)
        : base(layout)
    {
        _layers = new nint[layout.Layers.Count];
        long bytes = 0;
        foreach (KvLayer layer in layout.Layers) bytes += PageBytes(layer, layout.Type) * layout.PageCount;
        _block = new NativeBlock(bytes);
        nint address = _block.Address;
        for (int i = 0; i < _layers.Length; i++)
        {
            _layers[i] = address;
            address += (nint)(PageBytes(layout.Layers[i], layout.Type) * layout.PageCount);
        }
    }

    public override long Bytes => _block.Bytes;

    /// <summary>The pages of a layer, as kernels read them.</summary>
    public LayerPages Layer(int index)
    {
        KvLayer layer = Layout.Layers[index];
        return new LayerPages(_layers[index], PageBytes(layer, Layout.Type), layer, Layout.Type);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _block.Dispose();
    }

    private static long PageBytes(KvLayer layer, KvType type) =>
        (long)layer.Heads * KvLayout.PageTokens * (layer.KeyLength + LayerPages.Pad(layer.ValueLength)) * LayerPages.ElementBytes(type);
}

/// <summary>The pages of one layer: addresses and geometry.</summary>
/// <param name="Address">Page 0.</param>
/// <param name="PageBytes">Bytes from page to page.</param>
/// <param name="Layer">Heads and lengths.</param>
/// <param name="Type">Storage type.</param>
internal readonly unsafe record struct LayerPages(nint Address, long PageBytes, KvLayer Layer, KvType Type)
{
    /// <summary>Values in a padded row of V.</summary>
    public int ValueStride => Pad(Layer.ValueLength);

    public static int Pad(int length) => (length + 15) & ~15;

    public static int ElementBytes(KvType type) => type == KvType.F32 ? 4 : 2;

    /// <summary>Keys of a head in a page: [key length][32].</summary>
    public byte* Keys(int page, int head) =>
        (byte*)Address + (page * PageBytes) + ((long)head * Layer.KeyLength * KvLayout.PageTokens * ElementBytes(Type));

    /// <summary>Values of a head in a page: [32][padded value length].</summary>
    public byte* Values(int page, int head) =>
        (byte*)Address + (page * PageBytes)
        + ((((long)Layer.Heads * Layer.KeyLength) + ((long)head * ValueStride)) * KvLayout.PageTokens * ElementBytes(Type));
}
