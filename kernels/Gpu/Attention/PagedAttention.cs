using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime.Cuda;
using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Ops;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>
/// Attention of single rows over pages, with everything that <see cref="AttentionOptions"/> can ask for: the pages of a row are split over groups of threads, in a group over warps, and
/// what the parts have found is put together with their maximums. Up to four query heads share what is read of their keys and values. Of scores a lane has a token of the page; of sums it
/// has eight values, and the lanes that are left over take other tokens.
/// Grid: (heads in fours × parts × value pieces in sixteens, rows).
/// Source: Dao et al. 2022, arXiv 2205.14135, algorithm 1; Dao et al. 2023, "Flash-Decoding for long-context inference" (parts); Kwon et al. 2023, arXiv 2309.06180 (pages).
/// </summary>
internal static class PagedAttention<TKeys, TValues>
    where TKeys : unmanaged, IKvFormat
    where TValues : unmanaged, IKvFormat
{
    private const int Page = KvLayout.PageTokens, Four = PagedAttention.HeadsTogether, MostWarps = PagedAttention.Warps;

    /// <param name="memory">The arena.</param>
    /// <param name="a">Queries, cache, options, destination.</param>
    public static void Kernel(DeviceMemory memory, AttentionArguments a)
    {
        ArrayView<float> q = SharedMemory.Allocate<float>(Four * PagedAttention.MostLength);
        ArrayView<float> weights = SharedMemory.Allocate<float>(MostWarps * Four * Page);
        ArrayView<float> found = SharedMemory.Allocate<float>(MostWarps * PagedAttention.FoundLength);
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5, fours = (a.GroupHeads + Four - 1) / Four;
        int kvHead = Grid.IdxX % a.KvHeads, rest = Grid.IdxX / a.KvHeads, four = rest % fours;
        rest /= fours;
        int split = rest % a.Splits, piece = (rest / a.Splits) * PagedAttention.PiecesTogether;
        int firstHead = (kvHead * a.GroupHeads) + (four * Four), heads = IntrinsicMath.Min(Four, a.GroupHeads - (four * Four));
        RowPlace row = RowPlace.Of(memory, a.Batch, Grid.IdxY);
        int keyPieces = a.Keys.Pieces, length = keyPieces * 8;
        long queries = a.Queries.Row(Grid.IdxY) + ((long)firstHead * a.Keys.Length);
        for (int i = Group.IdxX; i < Four * length; i += Group.DimX)
        {
            int head = i / length, col = i - (head * length);
            q[i] = head < heads && col < a.Keys.Length ? memory.Floats[queries + (head * a.Keys.Length) + col] : 0f;
        }

        Group.Barrier();
        int first = a.First(row), last = a.Last(row), position = row.Position, firstPage = first / Page, pages = (last / Page) + 1 - firstPage;
        int each = (pages + a.Splits - 1) / a.Splits, begin = firstPage + (split * each), end = IntrinsicMath.Min(begin + each, firstPage + pages);
        int lanePieces = IntrinsicMath.Min(PagedAttention.PiecesTogether, a.Values.Pieces - piece), wide = PagedAttention.Wide(lanePieces), mine = lane % wide;
        HeadState s0 = HeadState.Empty, s1 = HeadState.Empty, s2 = HeadState.Empty, s3 = HeadState.Empty;
        for (int index = begin + warp; index < end; index += Group.DimX >> 5)
        {
            int page = memory.Ints[row.Table + index], slot = (index * Page) + lane, place = warp * Four * Page;
            Scores scores = Dots(memory, a, q, page, kvHead, keyPieces, length);
            int at = row.PositionOf(slot);
            bool isSeen = at >= first && slot <= last;
            s0.Weigh(weights, place, PagedAttention.Score(memory, a, firstHead, position, at, isSeen, scores.S0));
            if (heads > 1) s1.Weigh(weights, place + Page, PagedAttention.Score(memory, a, firstHead + 1, position, at, isSeen, scores.S1));
            if (heads > 2) s2.Weigh(weights, place + (2 * Page), PagedAttention.Score(memory, a, firstHead + 2, position, at, isSeen, scores.S2));
            if (heads > 3) s3.Weigh(weights, place + (3 * Page), PagedAttention.Score(memory, a, firstHead + 3, position, at, isSeen, scores.S3));
            Warp.Barrier();
            long head = a.Values.Head(page, kvHead);
            for (int token = lane / wide; token < Page; token += 32 / wide)
            {
                int stored = (index * Page) + token;
                if (mine >= lanePieces || stored < first || stored > last) continue;
                Float8 v = default(TValues).Load(memory, a.Values, head, token, piece + mine);
                s0.Sum.Add(weights[place + token], v);
                if (heads > 1) s1.Sum.Add(weights[place + Page + token], v);
                if (heads > 2) s2.Sum.Add(weights[place + (2 * Page) + token], v);
                if (heads > 3) s3.Sum.Add(weights[place + (3 * Page) + token], v);
            }

            Warp.Barrier();
        }

        // Lanes that have the same values of other tokens, then warps.
        for (int apart = wide; apart < 32; apart *= 2)
        {
            s0.Sum.Join(apart);
            if (heads > 1) s1.Sum.Join(apart);
            if (heads > 2) s2.Sum.Join(apart);
            if (heads > 3) s3.Sum.Join(apart);
        }

        WriteHead(memory, a, found, firstHead, split, piece, lanePieces, heads > 0, s0);
        WriteHead(memory, a, found, firstHead + 1, split, piece, lanePieces, heads > 1, s1);
        WriteHead(memory, a, found, firstHead + 2, split, piece, lanePieces, heads > 2, s2);
        WriteHead(memory, a, found, firstHead + 3, split, piece, lanePieces, heads > 3, s3);
    }

    // Every lane the products of its token's key with four queries.
    private static Scores Dots(DeviceMemory memory, AttentionArguments a, ArrayView<float> q, int page, int kvHead, int pieces, int length)
    {
        long head = a.Keys.Head(page, kvHead);
        int token = Group.IdxX & 31;
        Scores sums = default;
        for (int piece = 0; piece < pieces; piece++)
        {
            Float8 k = default(TKeys).Load(memory, a.Keys, head, token, piece);
            int at = piece * 8;
            sums.S0 += Dot(k, q, at);
            sums.S1 += Dot(k, q, at + length);
            sums.S2 += Dot(k, q, at + (2 * length));
            sums.S3 += Dot(k, q, at + (3 * length));
        }

        return sums;
    }

    private static float Dot(Float8 k, ArrayView<float> q, int at) =>
        (k.V0 * q[at]) + (k.V1 * q[at + 1]) + (k.V2 * q[at + 2]) + (k.V3 * q[at + 3]) + (k.V4 * q[at + 4]) + (k.V5 * q[at + 5]) + (k.V6 * q[at + 6]) + (k.V7 * q[at + 7]);

    // Puts the warps of a group together, and gives the result to y or, where there are other parts, to them.
    private static void WriteHead(DeviceMemory memory, AttentionArguments a, ArrayView<float> found, int head, int split, int piece, int lanePieces, bool isHead, HeadState state)
    {
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5;
        if (Group.DimX > GpuDevice.WarpThreads)
        {
            int own = warp * PagedAttention.FoundLength;
            Group.Barrier();
            if (lane < lanePieces) state.Sum.Put(found, own + 2 + (8 * lane));
            if (lane == 0) (found[own], found[own + 1]) = (state.Most, state.Total);
            Group.Barrier();
            if (warp != 0) return;
            state = HeadState.Empty;
            for (int w = 0; w < Group.DimX >> 5; w++)
            {
                int other = w * PagedAttention.FoundLength;
                state.Join(found[other], found[other + 1], Float8Sum.Of(found, other + 2 + (8 * IntrinsicMath.Min(lane, lanePieces - 1))));
            }
        }

        if (!isHead || lane >= lanePieces) return;
        if (a.Splits > 1)
        {
            long part = ((((long)Grid.IdxY * a.Heads) + head) * a.Splits) + split, sums = (a.Parts >> 2) + (part * a.Values.Length), totals = (a.Weights >> 2) + (part * 2);
            state.Sum.Store(memory.Floats, sums + ((piece + lane) * 8), a.Values.Length - ((piece + lane) * 8), 1f);
            if (piece == 0 && lane == 0) (memory.Floats[totals], memory.Floats[totals + 1]) = (state.Most, state.Total);
            return;
        }

        if (a.Sinks >= 0) state.Join(memory.Floats[(a.Sinks >> 2) + head], 1f, default);
        long y = a.Y.Row(Grid.IdxY) + ((long)head * a.Values.Length) + ((piece + lane) * 8);
        state.Sum.Store(memory.Floats, y, a.Values.Length - ((piece + lane) * 8), 1f / state.Total);
    }

    private struct Scores
    {
        public float S0;
        public float S1;
        public float S2;
        public float S3;
    }
}

/// <summary>What all types of keys and values share.</summary>
internal static class PagedAttention
{
    /// <summary>Query heads that share what is read.</summary>
    public const int HeadsTogether = 4;

    /// <summary>Pieces of eight values that lanes of a warp sum up.</summary>
    public const int PiecesTogether = 16;

    /// <summary>Most values of a key.</summary>
    public const int MostLength = 640;

    /// <summary>Warps of a group.</summary>
    public const int Warps = 4;

    /// <summary>What a warp hands over: maximum, total, sums.</summary>
    public const int FoundLength = 2 + (8 * PiecesTogether);

    /// <summary>Lanes that share the values of a token: the next power of two; all where threads are simulated and adding lanes up is slow.</summary>
    public static int Wide(int pieces) => !CudaAsm.IsSupported ? GpuDevice.WarpThreads : pieces > 8 ? 16 : pieces > 4 ? 8 : pieces > 2 ? 4 : pieces;

    /// <summary>A product made a score: scaled, capped, biased by the positions of query and key; far below all others where the query does not see it.</summary>
    public static float Score(DeviceMemory memory, AttentionArguments a, int head, int query, int key, bool isSeen, float product)
    {
        if (!isSeen) return HeadState.Nothing;
        float score = product * a.Scale;
        if (a.SoftCap != 0f) score = a.SoftCap * Activations.Tanh(score / a.SoftCap);
        if (a.Slopes >= 0) score -= memory.Floats[(a.Slopes >> 2) + head] * IntrinsicMath.Abs(query - key);
        if (a.Biases >= 0)
        {
            int distance = IntrinsicMath.Max(-a.Reach, IntrinsicMath.Min(a.Reach, key - query));
            score += memory.Floats[(a.Biases >> 2) + (head * ((2 * a.Reach) + 1)) + a.Reach + distance];
        }

        return score;
    }

    /// <summary>Puts the parts of a row together. A warp a head: grid (heads, rows).</summary>
    public static void Combine(DeviceMemory memory, AttentionArguments a)
    {
        long part = (((long)Grid.IdxY * a.Heads) + Grid.IdxX) * a.Splits, totals = (a.Weights >> 2) + (part * 2);
        float most = a.Sinks >= 0 ? memory.Floats[(a.Sinks >> 2) + Grid.IdxX] : HeadState.Nothing;
        float total = a.Sinks >= 0 ? 1f : 0f, sink = most;
        for (int i = 0; i < a.Splits; i++) most = IntrinsicMath.Max(most, memory.Floats[totals + (2 * i)]);
        total *= XMath.Exp(sink - most);
        for (int i = 0; i < a.Splits; i++) total += memory.Floats[totals + (2 * i) + 1] * XMath.Exp(memory.Floats[totals + (2 * i)] - most);
        for (int col = Group.IdxX; col < a.Values.Length; col += Group.DimX)
        {
            float sum = 0;
            for (int i = 0; i < a.Splits; i++)
                sum += memory.Floats[(a.Parts >> 2) + ((part + i) * a.Values.Length) + col] * XMath.Exp(memory.Floats[totals + (2 * i)] - most);
            memory.Floats[a.Y.Row(Grid.IdxY) + ((long)Grid.IdxX * a.Values.Length) + col] = sum / total;
        }
    }
}
