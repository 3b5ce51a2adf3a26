using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime.Cuda;
using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Gemm;
using Quern.Kernels.Gpu.Ops;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>The tokens of one sequence, for <see cref="FlashPrompt{TKeys, TValues, TLength}"/>.</summary>
internal readonly struct FlashArguments(AttentionArguments attention, int firstRow, int count)
{
    public readonly int FirstRow = firstRow;
    public readonly int Count = count;
    public readonly AttentionArguments Attention = attention;
}

/// <summary>Values of a head: 128 or 64.</summary>
internal interface IHeadLength
{
    /// <summary>Sixteens of it: 8 or 4.</summary>
    int Steps { get; }
}

internal readonly struct Head128 : IHeadLength
{
    public int Steps => 8;
}

internal readonly struct Head64 : IHeadLength
{
    public int Steps => 4;
}

/// <summary>
/// Attention of a prompt on tensor cores: a group of four warps has 64 queries of a head, a warp sixteen, and looks at a page of 32 keys after the other, with a running maximum. Operands are
/// binary16, scores and sums binary32. Windows, caps and sinks; the rarer options are <see cref="PagedAttention{TKeys, TValues, THeads}"/>'s. Only on a card. Grid: (heads, queries in 64s).
/// Source: Dao 2023, arXiv 2307.08691, algorithm 1.
/// </summary>
internal static class FlashPrompt<TKeys, TValues, TLength>
    where TKeys : unmanaged, IKvFormat
    where TValues : unmanaged, IKvFormat
    where TLength : unmanaged, IHeadLength
{
    private const int Page = KvLayout.PageTokens, Queries = FlashPrompt.Queries;

    /// <param name="memory">The arena.</param>
    /// <param name="f">Queries, cache, options, destination.</param>
    public static void Kernel(DeviceMemory memory, FlashArguments f)
    {
        if (!CudaAsm.IsSupported) return;
        AttentionArguments a = f.Attention;
        int steps = default(TLength).Steps, lane = Group.IdxX & 31, warp = Group.IdxX >> 5, head = Grid.IdxX, kvHead = head / a.GroupHeads, firstQuery = Grid.IdxY * Queries;
        uint rowBytes = (uint)steps * 32, tiles = FlashTile.Declare(), keys = tiles + (Queries * rowBytes), values = keys + (Page * rowBytes);
        RowPlace row = RowPlace.Of(memory, a.Batch, f.FirstRow);
        LoadQueries(memory, f, head, firstQuery, tiles, rowBytes);
        Group.Barrier();
        uint own = tiles + ((uint)((16 * warp) + (lane & 15)) * rowBytes) + (uint)(((lane >> 4) ^ (lane & 7)) << 4);
        FlashTile.LoadQueries(0, own);
        FlashTile.LoadQueries(1, own ^ 32);
        FlashTile.LoadQueries(2, own ^ 64);
        FlashTile.LoadQueries(3, own ^ 96);
        if (steps == 8)
        {
            FlashTile.LoadQueries(4, own ^ 128);
            FlashTile.LoadQueries(5, own ^ 160);
            FlashTile.LoadQueries(6, own ^ 192);
            FlashTile.LoadQueries(7, own ^ 224);
        }

        // Rows of a lane in matrices of keys (two times eight keys beside each other in the inner dimension) and of values (turned).
        uint key = keys + ((uint)((lane & 7) + ((lane >> 4) << 3)) * rowBytes) + (uint)((((lane >> 3) & 1) ^ (lane & 7)) << 4);
        uint value = values + ((uint)(lane & 15) * rowBytes) + (uint)(((lane >> 4) ^ (lane & 7)) << 4);
        int upperSlot = row.Slot + firstQuery + (16 * warp) + (lane >> 2), lowerSlot = upperSlot + 8;
        int firstSlot = a.Window == 0 ? 0 : IntrinsicMath.Max(0, row.Slot + firstQuery - a.Window + 1);
        int lastSlot = row.Slot + IntrinsicMath.Min(firstQuery + Queries, f.Count) - 1;
        SoftmaxRow upper = SoftmaxRow.Empty, lower = SoftmaxRow.Empty;
        for (int index = firstSlot / Page; index <= lastSlot / Page; index++)
        {
            int page = memory.Ints[row.Table + index], tokens = lastSlot + 1 - (index * Page);
            Group.Barrier();
            LoadPage<TKeys>(memory, a.Keys, a.Keys.Head(page, kvHead), tokens, keys, rowBytes);
            LoadPage<TValues>(memory, a.Values, a.Values.Head(page, kvHead), tokens, values, rowBytes);
            Group.Barrier();
            FlashTile.Begin();
            Score(key, rowBytes);
            int slot = (index * Page) + ((lane & 3) * 2);
            Float8 u = Mask(a, FlashTile.Scores(false), slot, upperSlot), l = Mask(a, FlashTile.Scores(true), slot, lowerSlot);
            float fadeUpper = upper.Take(ref u), fadeLower = lower.Take(ref l);
            FlashTile.Fade(fadeUpper, fadeLower);
            FlashTile.SetWeights(Pairs(u, 1f), Pairs(l, 1f));
            Sum(value, rowBytes);
        }

        float sink = a.Sinks >= 0 ? memory.Floats[(a.Sinks >> 2) + head] : HeadState.Nothing;
        FlashTile.Fade(upper.Finish(sink), lower.Finish(sink));
        int query = firstQuery + (16 * warp) + (lane >> 2);
        Store(memory, f, head, query, lower: false);
        Store(memory, f, head, query + 8, lower: true);
    }

    private static void Score(uint key, uint rowBytes)
    {
        uint more = key + (16 * rowBytes);
        FlashTile.Score(0, key, more);
        FlashTile.Score(1, key ^ 32, more ^ 32);
        FlashTile.Score(2, key ^ 64, more ^ 64);
        FlashTile.Score(3, key ^ 96, more ^ 96);
        if (default(TLength).Steps < 8) return;
        FlashTile.Score(4, key ^ 128, more ^ 128);
        FlashTile.Score(5, key ^ 160, more ^ 160);
        FlashTile.Score(6, key ^ 192, more ^ 192);
        FlashTile.Score(7, key ^ 224, more ^ 224);
    }

    private static void Sum(uint value, uint rowBytes)
    {
        uint more = value + (16 * rowBytes);
        FlashTile.Sum(0, value, more);
        FlashTile.Sum(1, value ^ 32, more ^ 32);
        FlashTile.Sum(2, value ^ 64, more ^ 64);
        FlashTile.Sum(3, value ^ 96, more ^ 96);
        if (default(TLength).Steps < 8) return;
        FlashTile.Sum(4, value ^ 128, more ^ 128);
        FlashTile.Sum(5, value ^ 160, more ^ 160);
        FlashTile.Sum(6, value ^ 192, more ^ 192);
        FlashTile.Sum(7, value ^ 224, more ^ 224);
    }

    // Queries, scaled, as binary16; behind the last one that one again.
    private static void LoadQueries(DeviceMemory memory, FlashArguments f, int head, int firstQuery, uint tiles, uint rowBytes)
    {
        AttentionArguments a = f.Attention;
        int pieces = default(TLength).Steps * 2;
        for (int i = Group.IdxX; i < Queries * pieces; i += Group.DimX)
        {
            int query = i / pieces, piece = i % pieces;
            long place = a.Queries.Row(f.FirstRow + IntrinsicMath.Min(firstQuery + query, f.Count - 1)) + (head * pieces * 8) + (piece * 8);
            ArrayView<float> q = memory.Floats;
            Uint4 packed = new()
            {
                X = Narrow.ToHalves(q[place] * a.Scale, q[place + 1] * a.Scale),
                Y = Narrow.ToHalves(q[place + 2] * a.Scale, q[place + 3] * a.Scale),
                Z = Narrow.ToHalves(q[place + 4] * a.Scale, q[place + 5] * a.Scale),
                W = Narrow.ToHalves(q[place + 6] * a.Scale, q[place + 7] * a.Scale),
            };
            TensorTile.Put(tiles + ((uint)query * rowBytes) + (uint)((piece ^ (query & 7)) << 4), packed);
        }
    }

    // Zeros behind the last token: what lies there may be no number, and would stay that with a weight of 0.
    private static void LoadPage<T>(DeviceMemory memory, KvRows rows, long head, int tokens, uint place, uint rowBytes)
        where T : unmanaged, IKvFormat
    {
        int pieces = default(TLength).Steps * 2;
        for (int i = Group.IdxX; i < Page * pieces; i += Group.DimX)
        {
            int token = i / pieces, piece = i % pieces;
            Uint4 pairs = default;
            if (token < tokens)
            {
                KvBits bits = default(T).Load(memory, rows, head, token, piece);
                pairs = Pairs(default(T).Decode(bits), default(T).Scaled(1f, bits));
            }

            TensorTile.Put(place + ((uint)token * rowBytes) + (uint)((piece ^ (token & 7)) << 4), pairs);
        }
    }

    private static Uint4 Pairs(Float8 v, float factor) => new()
    {
        X = Narrow.ToHalves(v.V0 * factor, v.V1 * factor),
        Y = Narrow.ToHalves(v.V2 * factor, v.V3 * factor),
        Z = Narrow.ToHalves(v.V4 * factor, v.V5 * factor),
        W = Narrow.ToHalves(v.V6 * factor, v.V7 * factor),
    };

    private static Float8 Mask(AttentionArguments a, Float8 s, int slot, int query) => new()
    {
        V0 = One(a, s.V0, slot, query),
        V1 = One(a, s.V1, slot + 1, query),
        V2 = One(a, s.V2, slot + 8, query),
        V3 = One(a, s.V3, slot + 9, query),
        V4 = One(a, s.V4, slot + 16, query),
        V5 = One(a, s.V5, slot + 17, query),
        V6 = One(a, s.V6, slot + 24, query),
        V7 = One(a, s.V7, slot + 25, query),
    };

    private static float One(AttentionArguments a, float score, int slot, int query)
    {
        if (a.SoftCap != 0f) score = a.SoftCap * Activations.Tanh(score / a.SoftCap);
        return slot <= query && (a.Window == 0 || slot > query - a.Window) ? score : HeadState.Nothing;
    }

    private static void Store(DeviceMemory memory, FlashArguments f, int head, int query, bool lower)
    {
        if (query >= f.Count) return;
        AttentionArguments a = f.Attention;
        long at = a.Y.Row(f.FirstRow + query) + (head * default(TLength).Steps * 16) + ((Group.IdxX & 3) * 2);
        FlashTile.Store(lower, default(TLength).Steps == 8, memory.Address + (ulong)(at * 4));
    }
}

/// <summary>What a lane knows of the softmax of a row, whose scores four lanes share.</summary>
internal struct SoftmaxRow
{
    private float _most, _total;

    public static SoftmaxRow Empty => new() { _most = HeadState.Nothing };

    /// <summary>Takes scores in and makes weights of them.</summary>
    /// <returns>What the sums so far have to be multiplied with.</returns>
    public float Take(ref Float8 s)
    {
        float most = IntrinsicMath.Max(IntrinsicMath.Max(IntrinsicMath.Max(s.V0, s.V1), IntrinsicMath.Max(s.V2, s.V3)), IntrinsicMath.Max(IntrinsicMath.Max(s.V4, s.V5), IntrinsicMath.Max(s.V6, s.V7)));
        most = IntrinsicMath.Max(most, Lane.Xor(most, 1));
        most = IntrinsicMath.Max(_most, IntrinsicMath.Max(most, Lane.Xor(most, 2)));
        s.V0 = Weight(s.V0, most);
        s.V1 = Weight(s.V1, most);
        s.V2 = Weight(s.V2, most);
        s.V3 = Weight(s.V3, most);
        s.V4 = Weight(s.V4, most);
        s.V5 = Weight(s.V5, most);
        s.V6 = Weight(s.V6, most);
        s.V7 = Weight(s.V7, most);
        float fade = XMath.Exp(_most - most);
        _total = (_total * fade) + (s.V0 + s.V1 + (s.V2 + s.V3) + (s.V4 + s.V5 + (s.V6 + s.V7)));
        _most = most;
        return fade;
    }

    /// <summary>One over the sum of all weights, of the four lanes and of a sink.</summary>
    public readonly float Finish(float sink)
    {
        float total = _total + Lane.Xor(_total, 1);
        total += Lane.Xor(total, 2);
        float most = IntrinsicMath.Max(_most, sink), fade = XMath.Exp(_most - most);
        total *= fade;
        if (sink > HeadState.Nothing) total += XMath.Exp(sink - most);
        return fade / total;
    }

    private static float Weight(float score, float most) => score <= HeadState.Nothing ? 0f : XMath.Exp(score - most);
}

/// <summary>What all prompts share.</summary>
internal static class FlashPrompt
{
    /// <summary>Queries of a group.</summary>
    public const int Queries = 64;

    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>Tokens of a sequence from which this pays.</summary>
    public const int FewestTokens = 64;
}
