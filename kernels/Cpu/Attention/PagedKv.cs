using Quern.Kernels.Cpu.Memory;

namespace Quern.Kernels.Cpu.Attention;

/// <summary>
/// Pages of keys and values in native memory. In a page of a layer, per KV head: keys as <c>[key length][32 tokens]</c>, transposed, so that the scores of 32 tokens
/// are sums of whole vectors and nothing is added across lanes; then for all heads values as <c>[32 tokens][value length]</c>, rows padded to 16 values. See <see cref="KvCodec"/>.
/// A layer's pages follow each other. Where some layers have a window and others none, the layers of a page follow each other, those with a window apart from the others, so that each part of a page
/// is a run of whole pages of the system, which can take it back.
/// </summary>
internal sealed unsafe class PagedKv : KvCache
{
    private readonly NativeBlock _block;
    private readonly nint[] _layers;
    private readonly long[] _strides;
    private readonly (nint Address, long Stride)[] _parts = []; // of layers without a window, and with one

    public PagedKv(KvLayout layout)
        : base(layout)
    {
        _layers = new nint[layout.Layers.Count];
        _strides = new long[_layers.Length];
        for (int i = 0; i < _layers.Length; i++)
        {
            Check(layout.KeyType, layout.Layers[i].KeyLength, "keys", i);
            Check(layout.ValueType, layout.Layers[i].ValueLength, "values", i);
        }

        bool isParted = OperatingSystem.IsLinux() && layout.Windowed is { } windowed && windowed.Contains(true) && windowed.Contains(false);
        nint address = 0;
        if (isParted) _parts = [Place(i => !layout.Windowed![i], Alignment, ref address), Place(i => layout.Windowed![i], Alignment, ref address)];
        for (int i = 0; i < _layers.Length && !isParted; i++) Place(layer => layer == i, 1, ref address);
        // They were placed behind address 0 so far.
        _block = new NativeBlock(address + Alignment);
        nint begin = isParted ? (_block.Address + Alignment - 1) & -Alignment : _block.Address;
        for (int i = 0; i < _layers.Length; i++) _layers[i] += begin;
        for (int i = 0; i < _parts.Length; i++) _parts[i].Address += begin;
        Bytes = address;
    }

    private static nint Alignment => Environment.SystemPageSize;

    public override long Bytes { get; }

    public override long PageBytes => Layout.Layers.Sum(layer => BytesOf(layer, Layout));

    public override long WindowedBytes => _parts.Length == 0 ? 0 : Layout.Layers.Where((_, i) => Layout.Windowed![i]).Sum(layer => BytesOf(layer, Layout));

    public override void Free(int page, bool windowedOnly)
    {
        if (_parts.Length == 0) throw new NotSupportedException("this cache cannot give back memory of pages: no layer has a window, all have one, or the system is not Linux");
        foreach ((nint address, long stride) in _parts.AsSpan(windowedOnly ? 1 : 0)) PageAdvice.Free(address + (nint)(page * stride), stride);
    }

    public override void CopyPage(int source, int destination)
    {
        for (int i = 0; i < _layers.Length; i++) Page(i, source).CopyTo(Page(i, destination));
    }

    public override void Move(ReadOnlySpan<int> blockTable, ReadOnlySpan<int> sources, int firstSlot)
    {
        for (int layer = 0; layer < _layers.Length; layer++)
        {
            LayerPages pages = Layer(layer);
            for (int i = 0; i < sources.Length; i++)
            {
                (int source, int from) = Math.DivRem(sources[i], KvLayout.PageTokens);
                (int target, int to) = Math.DivRem(firstSlot + i, KvLayout.PageTokens);
                if (sources[i] != firstSlot + i) pages.Copy(blockTable[source], from, blockTable[target], to);
            }
        }
    }

    public override void ReadPage(int page, Span<byte> destination)
    {
        for (int i = 0; i < _layers.Length; i++)
        {
            Page(i, page).CopyTo(destination);
            destination = destination[Page(i, page).Length..];
        }
    }

    public override void WritePage(int page, ReadOnlySpan<byte> source)
    {
        for (int i = 0; i < _layers.Length; i++)
        {
            Span<byte> part = Page(i, page);
            source[..part.Length].CopyTo(part);
            source = source[part.Length..];
        }
    }

    /// <summary>The pages of a layer, as kernels read them.</summary>
    public LayerPages Layer(int index)
    {
        KvLayer layer = Layout.Layers[index];
        return new LayerPages(_layers[index], _strides[index], layer, Layout.KeyType, Layout.ValueType);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _block.Dispose();
    }

    private Span<byte> Page(int layer, int page)
    {
        long bytes = BytesOf(Layout.Layers[layer], Layout);
        return new Span<byte>((byte*)_layers[layer] + (page * _strides[layer]), checked((int)bytes));
    }

    // Layers whose parts of a page follow each other; moves the address behind all pages.
    private (nint Address, long Stride) Place(Func<int, bool> isMember, nint alignment, ref nint address)
    {
        (nint begin, nint offset) = (address, address);
        int[] members = [.. Enumerable.Range(0, _layers.Length).Where(isMember)];
        long bytes = members.Sum(i => BytesOf(Layout.Layers[i], Layout)), stride = (bytes + alignment - 1) & -alignment;
        foreach (int i in members)
        {
            (_layers[i], _strides[i]) = (offset, stride);
            offset += (nint)BytesOf(Layout.Layers[i], Layout);
        }

        address += (nint)(stride * Layout.PageCount);
        return (begin, stride);
    }

    private static long BytesOf(KvLayer layer, KvLayout layout) =>
        (layer.Heads * (KvCodec.Bytes(layout.KeyType, layer.KeyLength) + KvCodec.Bytes(layout.ValueType, LayerPages.Pad(layer.ValueLength)))) + ((long)layer.StateLength * sizeof(float));

    private static void Check(KvType type, int length, string what, int layer)
    {
        if (KvCodec.HasBlocks(type) && length % KvCodec.Block != 0)
            throw new ArgumentException($"{what} of layer {layer} have {length} values a head; a cache of type {type} takes multiples of {KvCodec.Block}");
    }
}

/// <summary>The pages of one layer: addresses and geometry. What a recurrent layer knows lies behind its keys and values.</summary>
/// <param name="Address">Page 0.</param>
/// <param name="PageBytes">Bytes from page to page.</param>
/// <param name="Layer">Heads and lengths.</param>
/// <param name="KeyType">Storage type of keys.</param>
/// <param name="ValueType">Storage type of values.</param>
internal readonly unsafe record struct LayerPages(nint Address, long PageBytes, KvLayer Layer, KvType KeyType, KvType ValueType)
{
    /// <summary>Values in a padded row of V.</summary>
    public int ValueStride => Pad(Layer.ValueLength);

    public static int Pad(int length) => (length + 15) & ~15;

    /// <summary>Keys of a head in a page; see <see cref="KvCodec"/>.</summary>
    public byte* Keys(int page, int head) => (byte*)Address + (page * PageBytes) + (head * KvCodec.Bytes(KeyType, Layer.KeyLength));

    /// <summary>Values of a head in a page, rows padded to <see cref="ValueStride"/>.</summary>
    public byte* Values(int page, int head) =>
        (byte*)Address + (page * PageBytes) + (Layer.Heads * KvCodec.Bytes(KeyType, Layer.KeyLength)) + (head * KvCodec.Bytes(ValueType, ValueStride));

    /// <summary>Copies a token's keys and values of all heads.</summary>
    public void Copy(int page, int slot, int targetPage, int targetSlot)
    {
        for (int head = 0; head < Layer.Heads; head++)
        {
            KvCodec.CopyKey(KeyType, Keys(page, head), slot, Layer.KeyLength, Keys(targetPage, head), targetSlot);
            KvCodec.CopyValue(ValueType, Values(page, head), slot, ValueStride, Values(targetPage, head), targetSlot);
        }
    }

    /// <summary>The state in a page, behind all values.</summary>
    public float* State(int page) => (float*)Values(page, Layer.Heads);
}
