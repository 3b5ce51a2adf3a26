using System.Numerics;
using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Attention;
using Quern.Kernels.Gpu.Ops;

namespace Quern.Kernels.Gpu;

/// <summary>Keys, values and attention.</summary>
public sealed unsafe partial class GpuBackend
{
    private const int GroupsOfProcessor = 4;
    private readonly Dictionary<(KvType Keys, KvType Values), AttentionKernels> _attention = [];
    private readonly Dictionary<(int Heads, float MaxBias), nint> _slopes = [];
    private DeviceScratch? _parts;
    private nint _counters;
    private int _counterCount;
    private GpuKernel<AttentionArguments>? _attended;

    /// <inheritdoc/>
    public override KvCache CreateKvCache(KvLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        return new GpuKvCache(_device, _arena, layout);
    }

    /// <inheritdoc/>
    public override void StoreKv(Tensor keys, Tensor values, Batch batch, int layer, KvCache cache)
    {
        GpuKvCache pages = (GpuKvCache)cache;
        InputPlaces places = _inputs.Require(batch);
        KvRows keyRows = pages.Keys(layer), valueRows = pages.Values(layer);
        int rows = batch.TokenCount, heads = pages.Layout.Layers[layer].Heads, groups = 2 * heads;
        int threads = Threads(GpuDevice.WarpThreads * Groups(Math.Max(keyRows.Length, valueRows.Length), GpuDevice.WarpThreads));
        StoreArguments arguments = new(Place(keys), Place(values), keyRows, valueRows, heads, places);
        if (_rope is not null && _rope.TryLast(rows, out RopeArguments turn, out _) && turn.More.Is(arguments.Keys) && turn.HeadLength == keyRows.Length
            && turn.X.IsApart(arguments.Values, rows) && turn.More.IsApart(arguments.Values, rows))
        {
            // Keys are stored in the launch that turns them.
            _rope.TakeBack();
            groups += Groups(Groups(turn.X.Cols, turn.HeadLength) * turn.Pairs, threads);
            arguments = arguments with { Turn = turn with { More = default } };
        }

        AttentionOf(pages.Layout).Store.Run(_arena.Memory, arguments, groups, rows, threads);
    }

    /// <inheritdoc/>
    public override void Attention(Tensor queries, Batch batch, int layer, KvCache cache, AttentionOptions options, Tensor y)
    {
        GpuKvCache pages = (GpuKvCache)cache;
        InputPlaces places = _inputs.Require(batch);
        int kvHeads = pages.Layout.Layers[layer].Heads, warps = Threads(PagedAttention.Warps * GpuDevice.WarpThreads) / GpuDevice.WarpThreads;
        KvRows values = pages.Values(layer);
        if (IsForTensorCores(batch, pages.Layout.Layers[layer], options, queries, y))
        {
            AttentionArguments prompt = new(Place(queries), Place(y), pages.Keys(layer), values, places, kvHeads, options, Vectors(options, 0, 1, 0), 1);
            GpuKernel<FlashArguments> kernel = AttentionOf(pages.Layout).Prompt(values.Length);
            foreach (SequenceRun run in batch.Runs)
                kernel.Run(_arena.Memory, new FlashArguments(prompt, run.FirstRow, run.Count), options.Heads, Groups(run.Count, FlashPrompt.Queries), FlashPrompt.Threads);
            return;
        }

        int together = PagedAttention.HeadsTogether(options.Heads / kvHeads, pages.Keys(layer));
        int sets = kvHeads * Groups(options.Heads / kvHeads, together) * Groups(values.Pieces, PagedAttention.WarpPieces), splits = Splits(sets * batch.TokenCount, Pages(batch, options), warps);
        int found = together << (3 + PagedAttention.LaneBits(pages.Keys(layer), values));
        AttentionArguments arguments = new(
            Place(queries), Place(y), pages.Keys(layer), values, places, kvHeads, options, Vectors(options, sets * batch.TokenCount, splits, found), splits);
        _attended = AttentionOf(pages.Layout).Rows(together, pages.Keys(layer));
        _attended.Run(_arena.Memory, arguments, sets * splits, batch.TokenCount, warps * GpuDevice.WarpThreads);
    }

    // The options that few models have, and other lengths of heads, are left to the kernel of single rows; so are trees, and runs that leave a tile half empty.
    private bool IsForTensorCores(Batch batch, KvLayer layer, AttentionOptions options, Tensor queries, Tensor y)
    {
        if (_device.Kind != GpuKind.Cuda || Mode != ComputeMode.Fast || layer.KeyLength != layer.ValueLength || layer.KeyLength is not (64 or 128)) return false;
        if (options.OverPrefix || options.AlibiMaxBias != 0 || options.RelativeBias is not null) return false;
        if (y.Stride % 2 != 0 || y.Address % 8 != 0 || queries.Rows != batch.TokenCount) return false;
        foreach (SequenceRun run in batch.Runs)
            if (run.Count < FlashPrompt.FewestTokens || run.Prefix != 0 || run.TreeSlot != SequenceRun.NoTree) return false;
        return true;
    }

    /// <summary>The most pages that a row of the batch looks at, up to a power of two, so that launches stay the same while a text grows.</summary>
    private static int Pages(Batch batch, AttentionOptions options)
    {
        int most = 1;
        foreach (SequenceRun run in batch.Runs)
        {
            int slots = options.OverPrefix ? run.Prefix : run.FirstSlot + run.Count;
            if (options.Window != 0) slots = Math.Min(slots, options.Window + KvLayout.PageTokens);
            most = Math.Max(most, KvLayout.PagesFor(slots));
        }

        return (int)BitOperations.RoundUpToPowerOf2((uint)most);
    }

    // As many parts, a power of two, as fill the card, each with 16 tokens for every warp at least, and a page.
    private int Splits(int groups, int pages, int warps)
    {
        int wanted = _device.Kind == GpuKind.Simulated ? 64 : GroupsOfProcessor * _device.Accelerator.NumMultiprocessors;
        int most = Math.Clamp(Math.Min(wanted / groups, pages * KvLayout.PageTokens / Math.Max(KvLayout.PageTokens, 16 * warps)), 1, PartsOfRow.MostSplits);
        return 1 << BitOperations.Log2((uint)most);
    }

    private AttentionPlaces Vectors(AttentionOptions options, int sets, int splits, int found)
    {
        long slopes = -1, biases = Offset(options.RelativeBias), parts = 0, states = 0, arrived = 0;
        if (options.AlibiMaxBias != 0)
        {
            if (!_slopes.TryGetValue((options.Heads, options.AlibiMaxBias), out nint place))
            {
                float[] all = new float[options.Heads];
                for (int i = 0; i < all.Length; i++) all[i] = options.AlibiSlope(i);
                _slopes[(options.Heads, options.AlibiMaxBias)] = place = _arena.Take((long)all.Length * sizeof(float), "slopes");
                _arena.Write<float>(place, all);
            }

            slopes = _arena.Offset(place);
        }

        if (splits > 1)
        {
            _parts ??= new DeviceScratch(_device, _arena, "parts of attention");
            long count = (long)sets * splits;
            parts = _arena.Offset(_parts.Require(count * (found + PartsOfRow.StateLength) * sizeof(float)));
            states = parts + (count * found * sizeof(float));
            arrived = Counters(sets);
        }

        int reach = options.RelativeBias is { } relative ? relative.Length / options.Heads / 2 : 0;
        return new AttentionPlaces(slopes, biases, reach, Offset(options.Sinks), parts, states, arrived);
    }

    /// <summary>Byte offset of counters that are 0 between launches.</summary>
    private long Counters(int count)
    {
        if (count <= _counterCount) return _arena.Offset(_counters);
        _device.Synchronize();
        if (_counterCount != 0) _arena.Return(_counters);
        _counterCount = (int)BitOperations.RoundUpToPowerOf2((uint)count);
        _counters = _arena.Take((long)_counterCount * sizeof(int), "counters of attention");
        _arena.Write<int>(_counters, new int[_counterCount]);
        return _arena.Offset(_counters);
    }

    private AttentionKernels AttentionOf(KvLayout layout)
    {
        if (_attention.TryGetValue((layout.KeyType, layout.ValueType), out AttentionKernels? kernels)) return kernels;
        return _attention[(layout.KeyType, layout.ValueType)] = AttentionKernels.Create(_device, layout.KeyType, layout.ValueType);
    }
}
