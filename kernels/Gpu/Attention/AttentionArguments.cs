using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.MatMul;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>Arguments of the kernels of attention.</summary>
internal readonly struct AttentionArguments(
    DeviceTensor queries, DeviceTensor y, KvRows keys, KvRows values, InputPlaces batch, int kvHeads, AttentionOptions options, AttentionPlaces places, int splits)
{
    public readonly DeviceTensor Queries = queries;
    public readonly DeviceTensor Y = y;
    public readonly KvRows Keys = keys;
    public readonly KvRows Values = values;
    public readonly BatchPlaces Batch = new(batch);
    public readonly int Heads = options.Heads;
    public readonly int KvHeads = kvHeads;
    public readonly float Scale = options.Scale;
    public readonly float SoftCap = options.SoftCap;
    public readonly int Window = options.Window;
    public readonly int OverPrefix = options.OverPrefix ? 1 : 0;

    /// <summary>Byte offset of the slopes of heads, or −1.</summary>
    public readonly long Slopes = places.Slopes;

    /// <summary>Byte offset of the biases by distance, or −1.</summary>
    public readonly long Biases = places.Biases;

    /// <summary>r, how far they reach.</summary>
    public readonly int Reach = places.Reach;

    /// <summary>Byte offset of the sinks, or −1.</summary>
    public readonly long Sinks = places.Sinks;

    /// <summary>Lanes that share the row of a token, as a power of two.</summary>
    public readonly int LaneBits = PagedAttention.LaneBits(keys, values);

    /// <summary>Parts into which the tokens of a row are split, a power of two.</summary>
    public readonly int Splits = splits;

    /// <summary>Their number as a power of two.</summary>
    public readonly int SplitBits = System.Numerics.BitOperations.Log2((uint)splits);

    /// <summary>Whether queries can be read 16 bytes at a time.</summary>
    public readonly int HasWholePieces = keys.Length % 8 == 0 && queries.Stride % 4 == 0 && queries.Offset % 16 == 0 ? 1 : 0;

    /// <summary>Byte offset of what parts have found, of several: [rows, sets of heads, value pieces in 32s, splits, heads that go together, 8 a lane] sums.</summary>
    public readonly long Parts = places.Parts;

    /// <summary>Byte offset of their maximums and totals, <see cref="PartsOfRow.StateLength"/> a part.</summary>
    public readonly long States = places.States;

    /// <summary>Byte offset of the counters of parts that are done.</summary>
    public readonly long Arrived = places.Arrived;

    /// <summary>Query heads of a head of keys and values.</summary>
    public readonly int GroupHeads = options.Heads / kvHeads;

    /// <summary>Where y goes in bytes besides: <see cref="CanQuantise"/>.</summary>
    public QuantisedPlaces Bytes { get; init; }

    /// <summary>Whether blocks of 32 values of y lie in one head each.</summary>
    public bool CanQuantise => Values.Length % 32 == 0 && Y.Cols == Heads * Values.Length;

    /// <summary>First slot that a row sees, or in a tree the first position.</summary>
    public int First(RowPlace row)
    {
        if (OverPrefix != 0) return 0;
        int window = Window == 0 ? 0 : row.Position - Window + 1;
        return window > row.Prefix ? window : row.Prefix;
    }

    /// <summary>Last slot that a row sees.</summary>
    public int Last(RowPlace row) => OverPrefix != 0 ? row.Prefix - 1 : row.Slot;
}

/// <summary>Where the vectors of an attention lie, as byte offsets, −1 where there are none.</summary>
internal readonly record struct AttentionPlaces(long Slopes, long Biases, int Reach, long Sinks, long Parts, long States, long Arrived);
