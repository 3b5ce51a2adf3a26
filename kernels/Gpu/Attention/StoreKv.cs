using ILGPU;
using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Ops;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>Arguments of <see cref="StoreKv{TKeys, TValues}"/>.</summary>
internal readonly struct StoreArguments(DeviceTensor keys, DeviceTensor values, KvRows keyRows, KvRows valueRows, int heads, InputPlaces batch)
{
    public readonly DeviceTensor Keys = keys;
    public readonly DeviceTensor Values = values;
    public readonly KvRows KeyRows = keyRows;
    public readonly KvRows ValueRows = valueRows;
    public readonly int Heads = heads;
    public readonly BatchPlaces Batch = new(batch);

    /// <summary>How the keys are turned before, and a tensor that is turned besides, or nothing.</summary>
    public RopeArguments Turn { get; init; }
}

/// <summary>Where kernels find a batch: byte offsets of <see cref="InputPlaces"/>.</summary>
internal readonly struct BatchPlaces(InputPlaces places)
{
    public readonly long RowRuns = places.RowRuns;
    public readonly long Seen = places.Seen;
    public readonly long Runs = places.Runs;
    public readonly long Tables = places.Tables;
}

/// <summary>What a row of a batch is: its slot, what it sees of a tree, and where its sequence's pages are.</summary>
internal readonly struct RowPlace(int slot, int prefix, int tree, ulong seen, long table)
{
    public readonly int Slot = slot;

    /// <summary>First slot of a tree; <see cref="SequenceRun.NoTree"/> without.</summary>
    public readonly int Tree = tree;

    /// <summary>The slots that it sees from there on.</summary>
    public readonly ulong Seen = seen;

    /// <summary>Slots of the text that is read as a whole.</summary>
    public readonly int Prefix = prefix;

    /// <summary>Index of the first page in <see cref="DeviceMemory.Ints"/>.</summary>
    public readonly long Table = table;

    /// <summary>Where the token stands in its text: its slot, or in a tree what that would be if its ancestors alone were there.</summary>
    public int Position => Tree == SequenceRun.NoTree ? Slot : Tree + IntrinsicMath.PopCount(Seen) - 1;

    /// <summary>The same of a slot of the tree that it sees, −1 for one that it does not.</summary>
    public int PositionOf(int slot, ulong seen)
    {
        int place = slot - Tree;
        if (place >= Cpu.Batch.TreeTokens || ((seen >> place) & 1UL) == 0UL) return -1;
        return Tree + IntrinsicMath.PopCount(seen & ((1UL << place) - 1UL));
    }

    public static RowPlace Of(DeviceMemory memory, BatchPlaces batch, int row)
    {
        long run = (batch.Runs >> 2) + (PassInputs.RunLength * memory.Ints[(batch.RowRuns >> 2) + row]);
        ArrayView<int> ints = memory.Ints;
        long seen = (batch.Seen >> 2) + (2 * row);
        ulong mask = (uint)ints[seen] | ((ulong)(uint)ints[seen + 1] << 32);
        return new RowPlace(ints[run + 2] + row - ints[run], ints[run + 5], ints[run + 6], mask, (batch.Tables >> 2) + ints[run + 3]);
    }
}

/// <summary>
/// Stores the keys and values of a batch; where asked, keys are turned first, in place, and queries besides. A group has a head, its warps 32 values each.
/// Grid: (heads of keys, heads of values, pairs of queries over threads; rows).
/// </summary>
internal static class StoreKv<TKeys, TValues>
    where TKeys : unmanaged, IKvFormat
    where TValues : unmanaged, IKvFormat
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Keys, values and where to.</param>
    public static void Kernel(DeviceMemory memory, StoreArguments a)
    {
        int head = Grid.IdxX;
        if (head >= 2 * a.Heads)
        {
            Rope.Item(memory, a.Turn, ((head - (2 * a.Heads)) * Group.DimX) + Group.IdxX);
            return;
        }

        RowPlace row = RowPlace.Of(memory, a.Batch, Grid.IdxY);
        int page = memory.Ints[row.Table + (row.Slot / KvLayout.PageTokens)], token = row.Slot % KvLayout.PageTokens;
        if (head < a.Heads)
        {
            for (int pair = Group.IdxX; pair < a.Turn.Pairs; pair += Group.DimX) Rope.Pair(memory, a.Turn, a.Keys, head, pair);
            Group.Barrier();
            Store<TKeys>(memory, a.Keys, a.KeyRows, head, page, token);
        }
        else
        {
            Store<TValues>(memory, a.Values, a.ValueRows, head - a.Heads, page, token);
        }
    }

    private static void Store<T>(DeviceMemory memory, DeviceTensor x, KvRows rows, int head, int page, int token)
        where T : unmanaged, IKvFormat
    {
        for (int block = Group.IdxX >> 5; 32 * block < rows.Length; block += Group.DimX >> 5)
        {
            int col = (32 * block) + (Group.IdxX & 31);
            float value = col < rows.Length ? memory.Floats[x.Row(Grid.IdxY) + ((long)head * rows.Length) + col] : 0f;
            default(T).Store(memory, rows, rows.Head(page, head), token, block, value);
        }
    }
}
