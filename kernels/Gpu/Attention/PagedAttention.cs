using ILGPU;
using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Ops;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>
/// Attention of single rows over pages, with everything that <see cref="AttentionOptions"/> can ask for. Heads that share keys and values share what is read, up to four of them. The tokens of a
/// row are split over groups of threads, in a group over warps, tile by tile, and what the parts have found is put together with their maximums, by the group that is done last.
/// The row of a token belongs to 4, 8, 16 or 32 lanes, each of which has a piece of 8 values of keys and of sums; the rest of a warp has the tokens beside it. A tile is four steps, 128 / lanes
/// tokens, of which all keys and values are asked for before the first is used. Keys behind the first 256 values are added piece by piece, values behind them are other groups'.
/// Grid: (parts × heads of keys and values × query heads that go together × value pieces in 32s, rows).
/// Source: Dao et al. 2022, arXiv 2205.14135, algorithm 1; Dao et al. 2023, "Flash-Decoding for long-context inference" (parts); Kwon et al. 2023, arXiv 2309.06180 (pages).
/// </summary>
internal static class PagedAttention<TKeys, TValues, THeads>
    where TKeys : unmanaged, IKvFormat
    where TValues : unmanaged, IKvFormat
    where THeads : unmanaged, IHeadsTogether
{
    private const int Page = KvLayout.PageTokens, WarpPieces = PagedAttention.WarpPieces, PieceLength = 4 * 8 * WarpPieces, PageBits = 5;

    /// <param name="memory">The arena.</param>
    /// <param name="a">Queries, cache, options, destination.</param>
    [MostRegisters(128)]
    public static void Kernel(DeviceMemory memory, AttentionArguments a) => Run(memory, a);

    /// <summary>The same of single heads, whose groups a multiprocessor can have five of.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="a">Queries, cache, options, destination.</param>
    [MostRegisters(96)]
    public static void OneKernel(DeviceMemory memory, AttentionArguments a) => Run(memory, a);

    /// <summary>The same of what needs more registers: long keys, and values of binary32.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="a">Queries, cache, options, destination.</param>
    public static void WideKernel(DeviceMemory memory, AttentionArguments a) => Run(memory, a);

    private static void Run(DeviceMemory memory, AttentionArguments a)
    {
        // While tokens are read: the queries of keys behind the first 256 values, and what simulated lanes exchange. Then what lanes have found.
        ArrayView<float> found = SharedMemory.Allocate<float>(PartsOfRow.FoundLength);
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5, warps = Group.DimX >> 5, wide = 1 << a.LaneBits, mine = lane & (wide - 1);
        int together = default(THeads).Count, sets = (a.GroupHeads + together - 1) / together, chunks = (a.Values.Pieces + WarpPieces - 1) / WarpPieces;
        // Divisions only where there is something to divide.
        int split = Grid.IdxX & (a.Splits - 1), kvHead = Grid.IdxX >> a.SplitBits, set = 0, chunk = 0;
        if (kvHead >= a.KvHeads)
        {
            int rest = kvHead / a.KvHeads;
            kvHead -= rest * a.KvHeads;
            chunk = rest / sets;
            set = rest - (chunk * sets);
        }

        kvHead = Lane.Pin(kvHead);
        int firstHead = (kvHead * a.GroupHeads) + (set * together), heads = IntrinsicMath.Min(together, a.GroupHeads - (set * together));
        Queries raw = Load(memory, a, firstHead, heads, mine);
        RowPlace row = RowPlace.Of(memory, a.Batch, Grid.IdxY);
        // What few rows need takes no register.
        ArrayView<int> rare = SharedMemory.Allocate<int>(3);
        (rare[0], rare[1], rare[2]) = (row.Position, (int)row.Seen, (int)(row.Seen >> 32));
        int first = Lane.Pin(a.First(row)), last = Lane.Pin(a.Last(row)), tileBits = 7 - a.LaneBits;
        int firstTile = first >> tileBits, tiles = last < first ? 0 : (last >> tileBits) + 1 - firstTile, each = (tiles + a.Splits - 1) >> a.SplitBits;
        int tile = Lane.Pin(firstTile + (split * each) + warp), end = Lane.Pin(firstTile + IntrinsicMath.Min((split + 1) * each, tiles));
        int keyPiece = Lane.Pin(IntrinsicMath.Min(mine, a.Keys.Pieces - 1)), valuePiece = Lane.Pin(IntrinsicMath.Min((chunk * WarpPieces) + mine, a.Values.Pieces - 1));
        int apart = 32 >> a.LaneBits, sub = Lane.Pin(lane >> a.LaneBits), ownToken = Lane.Pin(sub + (LaneExchange<THeads>.Step(a.LaneBits) * apart)), scratch = (2 * PieceLength) + (warp * LaneExchange<THeads>.ScratchLength);
        int page = tile < end ? memory.Ints[row.Table + (tile << tileBits >> PageBits)] : 0;
        Queries q = Scale(a, raw, mine);
        if (default(THeads).IsLong)
        {
            for (int more = WarpPieces, place = lane; more < a.Keys.Pieces; more += WarpPieces, place += PieceLength)
                if (warp == 0) Put(Scale(a, Load(memory, a, firstHead, heads, more + lane), more + lane), found, place);
            Group.Barrier();
        }

        HeadState s0 = HeadState.Empty, s1 = HeadState.Empty, s2 = HeadState.Empty, s3 = HeadState.Empty;
        for (; tile < end; tile += warps)
        {
            // Slots that are not seen are replaced by the nearest ones that are, since what lies there may be no number.
            int slot = tile << tileBits, begin = slot & -Page, low = first - begin, high = last - begin, token = (slot - begin) + sub;
            int t0 = IntrinsicMath.Max(low, IntrinsicMath.Min(token, high)), t1 = IntrinsicMath.Max(low, IntrinsicMath.Min(token + apart, high));
            int t2 = IntrinsicMath.Max(low, IntrinsicMath.Min(token + (2 * apart), high)), t3 = IntrinsicMath.Max(low, IntrinsicMath.Min(token + (3 * apart), high));
            long keys = a.Keys.Head(page, kvHead), values = a.Values.Head(page, kvHead);
            KvBits k0 = default(TKeys).Load(memory, a.Keys, keys, t0, keyPiece), k1 = default(TKeys).Load(memory, a.Keys, keys, t1, keyPiece);
            KvBits k2 = default(TKeys).Load(memory, a.Keys, keys, t2, keyPiece), k3 = default(TKeys).Load(memory, a.Keys, keys, t3, keyPiece);
            KvBits v0 = default(TValues).Load(memory, a.Values, values, t0, valuePiece), v1 = default(TValues).Load(memory, a.Values, values, t1, valuePiece);
            KvBits v2 = default(TValues).Load(memory, a.Values, values, t2, valuePiece), v3 = default(TValues).Load(memory, a.Values, values, t3, valuePiece);
            page = memory.Ints[row.Table + ((IntrinsicMath.Min(tile + warps, end - 1) << tileBits) >> PageBits)];
            PerStep products = new() { S0 = Dot(k0, q), S1 = Dot(k1, q), S2 = Dot(k2, q), S3 = Dot(k3, q) };
            if (default(THeads).IsLong)
            {
                for (int more = WarpPieces, place = lane; more < a.Keys.Pieces; more += WarpPieces, place += PieceLength)
                {
                    int piece = IntrinsicMath.Min(more + lane, a.Keys.Pieces - 1);
                    products.S0 = Add(products.S0, default(TKeys).Load(memory, a.Keys, keys, t0, piece), found, place);
                    products.S1 = Add(products.S1, default(TKeys).Load(memory, a.Keys, keys, t1, piece), found, place);
                    products.S2 = Add(products.S2, default(TKeys).Load(memory, a.Keys, keys, t2, piece), found, place);
                    products.S3 = Add(products.S3, default(TKeys).Load(memory, a.Keys, keys, t3, piece), found, place);
                }
            }

            PerHead scores = LaneExchange<THeads>.Sum(products, wide, found, scratch);
            int own = slot + ownToken, at = own < row.Tree ? own : row.PositionOf(own, (uint)rare[1] | ((ulong)(uint)rare[2] << 32));
            bool isSeen = at >= first && own <= last;
            scores.H0 = isSeen ? scores.H0 : HeadState.Nothing;
            if (together > 1) scores.H1 = isSeen ? scores.H1 : HeadState.Nothing;
            if (together > 2) scores.H2 = isSeen ? scores.H2 : HeadState.Nothing;
            if (together > 2) scores.H3 = isSeen ? scores.H3 : HeadState.Nothing;
            if (a.SoftCap != 0f || a.Slopes >= 0 || a.Biases >= 0)
            {
                scores.H0 = PagedAttention.Score(memory, a, firstHead, rare[0], at, scores.H0);
                if (together > 1) scores.H1 = PagedAttention.Score(memory, a, firstHead + IntrinsicMath.Min(1, heads - 1), rare[0], at, scores.H1);
                if (together > 2) scores.H2 = PagedAttention.Score(memory, a, firstHead + IntrinsicMath.Min(2, heads - 1), rare[0], at, scores.H2);
                if (together > 2) scores.H3 = PagedAttention.Score(memory, a, firstHead + IntrinsicMath.Min(3, heads - 1), rare[0], at, scores.H3);
            }

            PerHead most = LaneExchange<THeads>.Most(scores, wide, found, scratch);
            // After the first tiles it seldom rises.
            if (most.H0 > s0.Most || (together > 1 && most.H1 > s1.Most) || (together > 2 && (most.H2 > s2.Most || most.H3 > s3.Most)))
            {
                s0.Raise(IntrinsicMath.Max(s0.Most, most.H0));
                if (together > 1) s1.Raise(IntrinsicMath.Max(s1.Most, most.H1));
                if (together > 2) s2.Raise(IntrinsicMath.Max(s2.Most, most.H2));
                if (together > 2) s3.Raise(IntrinsicMath.Max(s3.Most, most.H3));
            }

            PerHead weights = default;
            weights.H0 = s0.Weight(scores.H0);
            if (together > 1) weights.H1 = s1.Weight(scores.H1);
            if (together > 2) weights.H2 = s2.Weight(scores.H2);
            if (together > 2) weights.H3 = s3.Weight(scores.H3);
            PerStep shared = LaneExchange<THeads>.Share(weights, wide, found, scratch);
            Weigh(ref s0, ref s1, ref s2, ref s3, shared.S0, v0);
            Weigh(ref s0, ref s1, ref s2, ref s3, shared.S1, v1);
            Weigh(ref s0, ref s1, ref s2, ref s3, shared.S2, v2);
            Weigh(ref s0, ref s1, ref s2, ref s3, shared.S3, v3);
        }

        PartsOfRow parts = new(firstHead, heads, together, chunk, split, (((long)Grid.IdxY * sets * a.KvHeads) + (kvHead * sets) + set) * chunks + chunk);
        parts.Join(memory, a, found, s0, s1, s2, s3);
    }

    // A lane's piece of the queries; behind the last piece that one again.
    private static Queries Load(DeviceMemory memory, AttentionArguments a, int firstHead, int heads, int piece)
    {
        int length = a.Keys.Length, col = 8 * IntrinsicMath.Min(piece, a.Keys.Pieces - 1);
        long h0 = a.Queries.Row(Grid.IdxY) + (firstHead * length), h1 = h0 + (IntrinsicMath.Min(1, heads - 1) * length);
        long h2 = h0 + (IntrinsicMath.Min(2, heads - 1) * length), h3 = h0 + (IntrinsicMath.Min(3, heads - 1) * length);
        Queries q = default;
        if (a.HasWholePieces != 0)
        {
            q.H0 = Whole(memory, h0 + col);
            if (default(THeads).Count > 1) q.H1 = Whole(memory, h1 + col);
            if (default(THeads).Count > 2) q.H2 = Whole(memory, h2 + col);
            if (default(THeads).Count > 2) q.H3 = Whole(memory, h3 + col);
        }
        else
        {
            q.H0 = Single(memory, h0, col, length - 1);
            if (default(THeads).Count > 1) q.H1 = Single(memory, h1, col, length - 1);
            if (default(THeads).Count > 2) q.H2 = Single(memory, h2, col, length - 1);
            if (default(THeads).Count > 2) q.H3 = Single(memory, h3, col, length - 1);
        }

        return q;
    }

    private static Float8 Whole(DeviceMemory memory, long place) => Float8.OfBits(Lane.Once16(memory, place * 4), Lane.Once16(memory, (place * 4) + 16));

    private static Float8 Single(DeviceMemory memory, long place, int col, int last) => new()
    {
        V0 = memory.Floats[place + IntrinsicMath.Min(col, last)],
        V1 = memory.Floats[place + IntrinsicMath.Min(col + 1, last)],
        V2 = memory.Floats[place + IntrinsicMath.Min(col + 2, last)],
        V3 = memory.Floats[place + IntrinsicMath.Min(col + 3, last)],
        V4 = memory.Floats[place + IntrinsicMath.Min(col + 4, last)],
        V5 = memory.Floats[place + IntrinsicMath.Min(col + 5, last)],
        V6 = memory.Floats[place + IntrinsicMath.Min(col + 6, last)],
        V7 = memory.Floats[place + IntrinsicMath.Min(col + 7, last)],
    };

    // Scaled; zeros behind the last piece. Values of stored keys behind the last one are zeros.
    private static Queries Scale(AttentionArguments a, Queries q, int piece)
    {
        float scale = piece < a.Keys.Pieces ? a.Scale : 0f;
        Queries scaled = default;
        scaled.H0 = Scale(q.H0, scale);
        if (default(THeads).Count > 1) scaled.H1 = Scale(q.H1, scale);
        if (default(THeads).Count > 2) scaled.H2 = Scale(q.H2, scale);
        if (default(THeads).Count > 2) scaled.H3 = Scale(q.H3, scale);
        return scaled;
    }

    private static Float8 Scale(Float8 q, float scale) => new()
    {
        V0 = Lane.Pin(q.V0 * scale),
        V1 = Lane.Pin(q.V1 * scale),
        V2 = Lane.Pin(q.V2 * scale),
        V3 = Lane.Pin(q.V3 * scale),
        V4 = Lane.Pin(q.V4 * scale),
        V5 = Lane.Pin(q.V5 * scale),
        V6 = Lane.Pin(q.V6 * scale),
        V7 = Lane.Pin(q.V7 * scale),
    };

    private static void Put(Queries q, ArrayView<float> shared, int place)
    {
        Put(q.H0, shared, place);
        if (default(THeads).Count > 1) Put(q.H1, shared, place + (8 * WarpPieces));
        if (default(THeads).Count > 2) Put(q.H2, shared, place + (16 * WarpPieces));
        if (default(THeads).Count > 2) Put(q.H3, shared, place + (24 * WarpPieces));
    }

    private static void Put(Float8 v, ArrayView<float> shared, int place) => PartsOfRow.Put(v, shared, place, WarpPieces);

    private static PerHead Dot(KvBits bits, Queries q)
    {
        Float8 k = default(TKeys).Decode(bits);
        PerHead products = default;
        products.H0 = default(TKeys).Scaled(Dot(k, q.H0), bits);
        if (default(THeads).Count > 1) products.H1 = default(TKeys).Scaled(Dot(k, q.H1), bits);
        if (default(THeads).Count > 2) products.H2 = default(TKeys).Scaled(Dot(k, q.H2), bits);
        if (default(THeads).Count > 2) products.H3 = default(TKeys).Scaled(Dot(k, q.H3), bits);
        return products;
    }

    private static float Dot(Float8 k, Float8 q) => (k.V0 * q.V0) + (k.V1 * q.V1) + (k.V2 * q.V2) + (k.V3 * q.V3) + (k.V4 * q.V4) + (k.V5 * q.V5) + (k.V6 * q.V6) + (k.V7 * q.V7);

    // The products of a piece whose queries are in shared memory.
    private static PerHead Add(PerHead products, KvBits bits, ArrayView<float> q, int place)
    {
        Float8 k = default(TKeys).Decode(bits);
        products.H0 += default(TKeys).Scaled(Dot(k, q, place), bits);
        if (default(THeads).Count > 1) products.H1 += default(TKeys).Scaled(Dot(k, q, place + (8 * WarpPieces)), bits);
        if (default(THeads).Count > 2) products.H2 += default(TKeys).Scaled(Dot(k, q, place + (16 * WarpPieces)), bits);
        if (default(THeads).Count > 2) products.H3 += default(TKeys).Scaled(Dot(k, q, place + (24 * WarpPieces)), bits);
        return products;
    }

    private static float Dot(Float8 k, ArrayView<float> q, int at) =>
        (k.V0 * q[at]) + (k.V1 * q[at + 32]) + (k.V2 * q[at + 64]) + (k.V3 * q[at + 96]) + (k.V4 * q[at + 128]) + (k.V5 * q[at + 160]) + (k.V6 * q[at + 192]) + (k.V7 * q[at + 224]);

    // Adds the values of a step, with the weights of its token.
    private static void Weigh(ref HeadState s0, ref HeadState s1, ref HeadState s2, ref HeadState s3, PerHead weights, KvBits bits)
    {
        Float8 v = default(TValues).Decode(bits);
        s0.Total += weights.H0;
        s0.Add(default(TValues).Scaled(weights.H0, bits), v);
        if (default(THeads).Count > 1) s1.Total += weights.H1;
        if (default(THeads).Count > 1) s1.Add(default(TValues).Scaled(weights.H1, bits), v);
        if (default(THeads).Count > 2) s2.Total += weights.H2;
        if (default(THeads).Count > 2) s2.Add(default(TValues).Scaled(weights.H2, bits), v);
        if (default(THeads).Count > 2) s3.Total += weights.H3;
        if (default(THeads).Count > 2) s3.Add(default(TValues).Scaled(weights.H3, bits), v);
    }

    /// <summary>Eight values of each head's query.</summary>
    private struct Queries
    {
        public Float8 H0;
        public Float8 H1;
        public Float8 H2;
        public Float8 H3;
    }
}

/// <summary>What all types of keys and values share.</summary>
internal static class PagedAttention
{
    /// <summary>Pieces of eight values that lanes of a warp have.</summary>
    public const int WarpPieces = 32;

    /// <summary>Most values of a key.</summary>
    public const int MostLength = 640;

    /// <summary>Warps of a group.</summary>
    public const int Warps = 4;

    /// <summary>Lanes that share the row of a token, as a power of two, 2 to 5: one for each of the pieces.</summary>
    public static int LaneBits(KvRows keys, KvRows values) => Math.Clamp(System.Numerics.BitOperations.Log2((uint)(2 * Math.Max(keys.Pieces, values.Pieces)) - 1), 2, 5);

    /// <summary>Query heads of a head of keys and values that go together.</summary>
    public static int HeadsTogether(int groupHeads, KvRows keys) => groupHeads > 2 || keys.Pieces > WarpPieces ? 4 : groupHeads;

    /// <summary>A score, if it is seen, capped and biased by the positions of query and key.</summary>
    public static float Score(DeviceMemory memory, AttentionArguments a, int head, int query, int key, float score)
    {
        if (score <= HeadState.Nothing) return score;
        if (a.SoftCap != 0f) score = a.SoftCap * Activations.Tanh(score / a.SoftCap);
        if (a.Slopes >= 0) score -= memory.Floats[(a.Slopes >> 2) + head] * IntrinsicMath.Abs(query - key);
        if (a.Biases >= 0)
        {
            int distance = IntrinsicMath.Max(-a.Reach, IntrinsicMath.Min(a.Reach, key - query));
            score += memory.Floats[(a.Biases >> 2) + (head * ((2 * a.Reach) + 1)) + a.Reach + distance];
        }

        return score;
    }
}
