using ILGPU.Runtime;
using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>
/// Pages of keys and values in a card's memory, those of a layer in one piece: the keys of all heads of a page, then the values, then the state of a recurrent layer. See <see cref="KvRows"/>.
/// </summary>
internal sealed class GpuKvCache : KvCache
{
    private readonly GpuDevice _device;
    private readonly DeviceArena _arena;
    private readonly nint[] _layers;
    private readonly GpuKernel<MoveArguments> _move;
    private bool _isDisposed;

    public GpuKvCache(GpuDevice device, DeviceArena arena, KvLayout layout)
        : base(layout)
    {
        (_device, _arena) = (device, arena);
        _move = new GpuKernel<MoveArguments>(device, MoveKv.Kernel);
        _layers = new nint[layout.Layers.Count];
        for (int i = 0; i < _layers.Length; i++)
        {
            Check(layout.KeyType, layout.Layers[i].KeyLength, "keys", i);
            Check(layout.ValueType, layout.Layers[i].ValueLength, "values", i);
        }

        try
        {
            for (int i = 0; i < _layers.Length; i++)
            {
                string what = $"the cache of {(long)layout.PageCount * KvLayout.PageTokens} tokens ({GpuDevice.MiB(Bytes)} MiB, layer {i} of {_layers.Length})";
                _layers[i] = arena.Take(BytesOf(layout.Layers[i], layout) * layout.PageCount, what);
            }
        }
        catch
        {
            Dispose(true);
            throw;
        }
    }

    public override long Bytes => PageBytes * Layout.PageCount;

    public override string PageForm => "rows";

    public override long PageBytes => Layout.Layers.Sum(layer => BytesOf(layer, Layout));

    /// <summary>The keys of a layer, as kernels read them.</summary>
    public KvRows Keys(int layer) => new(_arena.Offset(_layers[layer]), BytesOf(Layout.Layers[layer], Layout), Layout.KeyType, Layout.Layers[layer].KeyLength);

    /// <summary>The values of a layer.</summary>
    public KvRows Values(int layer)
    {
        KvLayer shape = Layout.Layers[layer];
        long keys = (long)shape.Heads * KvRows.BytesOfHead(Layout.KeyType, shape.KeyLength);
        return new KvRows(_arena.Offset(_layers[layer]) + keys, BytesOf(shape, Layout), Layout.ValueType, shape.ValueLength);
    }

    /// <summary>Byte offset of the state in page 0 of a layer; <see cref="KvRows.PageBytes"/> lie between pages.</summary>
    public long State(int layer) => _arena.Offset(_layers[layer]) + BytesOf(Layout.Layers[layer], Layout) - ((long)Layout.Layers[layer].StateLength * sizeof(float));

    public override void ReadPage(int page, Span<byte> destination)
    {
        for (int i = 0; i < _layers.Length; i++)
        {
            int bytes = checked((int)BytesOf(Layout.Layers[i], Layout));
            _arena.Read(Address(i, page), destination[..bytes]);
            destination = destination[bytes..];
        }
    }

    public override void WritePage(int page, ReadOnlySpan<byte> source)
    {
        for (int i = 0; i < _layers.Length; i++)
        {
            int bytes = checked((int)BytesOf(Layout.Layers[i], Layout));
            _arena.Write(Address(i, page), source[..bytes]);
            source = source[bytes..];
        }
    }

    public override void Move(ReadOnlySpan<int> blockTable, ReadOnlySpan<int> sources, int firstSlot)
    {
        for (int i = 0; i < sources.Length; i++)
        {
            if (sources[i] == firstSlot + i) continue;
            (int page, int from) = Math.DivRem(sources[i], KvLayout.PageTokens);
            (int target, int to) = Math.DivRem(firstSlot + i, KvLayout.PageTokens);
            for (int layer = 0; layer < _layers.Length; layer++)
            {
                MoveArguments arguments = new(Keys(layer), Values(layer), blockTable[page], from, blockTable[target], to);
                _move.Run(_arena.Memory, arguments, Layout.Layers[layer].Heads, 1, GpuDevice.WarpThreads);
            }
        }
    }

    public override void CopyPage(int source, int destination)
    {
        for (int i = 0; i < _layers.Length; i++)
        {
            long bytes = BytesOf(Layout.Layers[i], Layout);
            if (bytes != 0) _arena.View<byte>(Address(i, source), bytes).CopyTo(_device.Stream, _arena.View<byte>(Address(i, destination), bytes));
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing || _isDisposed) return;
        _isDisposed = true;
        foreach (nint layer in _layers)
            if (layer != 0) _arena.Return(layer);
    }

    private nint Address(int layer, int page) => _layers[layer] + (nint)(page * BytesOf(Layout.Layers[layer], Layout));

    private static long StateBytes(KvLayer layer) => (((long)layer.StateLength * sizeof(float)) + 15) & -16;

    private static long BytesOf(KvLayer layer, KvLayout layout) =>
        (layer.Heads * ((long)KvRows.BytesOfHead(layout.KeyType, layer.KeyLength) + KvRows.BytesOfHead(layout.ValueType, layer.ValueLength))) + StateBytes(layer);

    private static void Check(KvType type, int length, string what, int layer)
    {
        if (KvRows.IsOfBlocks(type) && length % 32 != 0)
            throw new ArgumentException($"{what} of layer {layer} have {length} values a head; a cache of type {type} takes multiples of 32");
        if (length > PagedAttention.MostLength)
            throw new ArgumentException($"{what} of layer {layer} have {length} values a head; a card takes {PagedAttention.MostLength} at most");
    }
}
