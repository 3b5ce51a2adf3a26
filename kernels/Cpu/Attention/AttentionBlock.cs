using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Numerics;

namespace Quern.Kernels.Cpu.Attention;

/// <summary>How scores are made (<see cref="AttentionOptions"/>), as numbers: jobs hold no references.</summary>
internal readonly unsafe struct Scoring(AttentionOptions options)
{
    private readonly int _heads = options.Heads;

    public readonly float Scale = options.Scale, SoftCap = options.SoftCap, AlibiMaxBias = options.AlibiMaxBias;

    public readonly int Window = options.Window;

    public readonly bool OverPrefix = options.OverPrefix;

    /// <summary>[heads] or null.</summary>
    public readonly float* Sinks = options.Sinks is { } sinks ? (float*)sinks.Address : null;

    /// <summary>[heads, 2 <see cref="Reach"/> + 1] or null.</summary>
    public readonly float* RelativeBias = options.RelativeBias is { } biases ? (float*)biases.Address : null;

    /// <summary>The farthest distance that has a bias of its own.</summary>
    public readonly int Reach = options.RelativeBias is { } table ? ((table.Length / options.Heads) - 1) / 2 : 0;

    /// <summary>A query of a head.</summary>
    /// <param name="run">Its sequence.</param>
    /// <param name="slot">Where its token stands in the text: the slot, or for tokens of a tree what it would be if their ancestors alone were there.</param>
    /// <param name="head">The head.</param>
    public QueryRow Row(in SequenceRun run, int slot, int head) => new()
    {
        Slot = slot,
        Oldest = OverPrefix ? 0 : Math.Max(run.Prefix, Window == 0 ? 0 : slot - Window + 1),
        Newest = OverPrefix ? run.Prefix - 1 : slot,
        Slope = AlibiMaxBias == 0 ? 0 : new AttentionOptions(_heads, 1) { AlibiMaxBias = AlibiMaxBias }.AlibiSlope(head),
        Biases = RelativeBias == null ? null : RelativeBias + ((nint)head * ((2 * Reach) + 1)) + Reach,
    };
}

/// <summary>A query of a tile, as its scores need it.</summary>
internal unsafe struct QueryRow
{
    /// <summary>Floats that it takes.</summary>
    public const int Floats = 6;

    /// <summary>Its head's biases by distance, at the one of distance 0; null without.</summary>
    public float* Biases;

    /// <summary>Its slot, the oldest slot that it sees, and the newest.</summary>
    public int Slot, Oldest, Newest;

    /// <summary>Slope of its head's linear bias; 0 without.</summary>
    public float Slope;
}

/// <summary>
/// Memory that is brought to the second-level cache while something else is computed, some bytes in each step: the processor does not foresee the next page of a block table. The first level has
/// no room for it beside what is computed with.
/// </summary>
/// <param name="at">Where it begins.</param>
/// <param name="bytes">Its length; 0 asks for nothing new.</param>
/// <param name="steps">Steps that ask for all of it.</param>
internal unsafe struct Ahead(byte* at, long bytes, int steps)
{
    private const int Line = 64;

    private readonly nint _step = (nint)(bytes / steps);
    private byte* _at = at;

    /// <summary>Asks for the bytes of a step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Ask()
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch1(_at);
        if (_step > Line) Sse.Prefetch1(_at + Line);
        _at += _step;
    }
}

/// <summary>
/// What <see cref="FlashAttention"/> does with four queries and two pages of 32 slots. Each step is a method of its own that calls nothing in its loop, so that the
/// accumulators stay in registers.
/// </summary>
internal static unsafe class AttentionBlock
{
    /// <summary>Queries of a block.</summary>
    public const int Rows = 4;

    /// <summary>Pages whose scores are softened together: what that costs beside its exponentials is shared, and keys and values of two pages fit the first-level cache.</summary>
    public const int Pages = 2;

    /// <summary>Scores of a query.</summary>
    public const int Keys = Pages * PageTokens;

    private const int PageTokens = KvLayout.PageTokens;

    /// <summary><c>scores[r, j] = Σ_i q_r[i] · k[i, j]</c>.</summary>
    /// <param name="q0">[length], the first query; then the others.</param>
    /// <param name="q1">[length].</param>
    /// <param name="q2">[length].</param>
    /// <param name="q3">[length].</param>
    /// <param name="k">[length, 32].</param>
    /// <param name="length">Values in a query.</param>
    /// <param name="scores">The page's 32 of [4, 64].</param>
    /// <param name="next">Memory that is needed next.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Score(float* q0, float* q1, float* q2, float* q3, float* k, int length, float* scores, Ahead next)
    {
        Vector512<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default;
        for (nint i = 0; i < length; i++, k += PageTokens)
        {
            next.Ask();
            Vector512<float> low = Vector512.Load(k), high = Vector512.Load(k + 16);
            Vector512<float> q = Vector512.Create(q0[i]);
            a0 = Vector512.FusedMultiplyAdd(q, low, a0);
            a1 = Vector512.FusedMultiplyAdd(q, high, a1);
            q = Vector512.Create(q1[i]);
            b0 = Vector512.FusedMultiplyAdd(q, low, b0);
            b1 = Vector512.FusedMultiplyAdd(q, high, b1);
            q = Vector512.Create(q2[i]);
            c0 = Vector512.FusedMultiplyAdd(q, low, c0);
            c1 = Vector512.FusedMultiplyAdd(q, high, c1);
            q = Vector512.Create(q3[i]);
            d0 = Vector512.FusedMultiplyAdd(q, low, d0);
            d1 = Vector512.FusedMultiplyAdd(q, high, d1);
        }

        a0.Store(scores);
        a1.Store(scores + 16);
        b0.Store(scores + Keys);
        b1.Store(scores + Keys + 16);
        c0.Store(scores + (2 * Keys));
        c1.Store(scores + (2 * Keys) + 16);
        d0.Store(scores + (3 * Keys));
        d1.Store(scores + (3 * Keys) + 16);
    }

    /// <summary>
    /// The 64 scores of each query: scale, cap, biases, mask; then weights <c>e^(s − m')</c> in their place, and everything before is multiplied by <c>e^(m − m')</c>.
    /// </summary>
    /// <param name="scoring">Scale, cap, window.</param>
    /// <param name="first">Slot of the first key.</param>
    /// <param name="queries">[rows] the queries.</param>
    /// <param name="rows">Number of them, 1 to 4.</param>
    /// <param name="weights">[rows, 64] scores, then weights.</param>
    /// <param name="maxima">[rows] the running maxima m.</param>
    /// <param name="sums">[rows] the running sums l.</param>
    /// <param name="output">[rows, stride] the running outputs o.</param>
    /// <param name="stride">Values of each, a multiple of 16.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Soften(in Scoring scoring, int first, QueryRow* queries, int rows, float* weights, float* maxima, float* sums, float* output, int stride)
    {
        Vector512<float> scale = Vector512.Create(scoring.Scale);
        for (int row = 0; row < rows; row++, queries++, weights += Keys, output += stride)
        {
            Vector512<float> a = Vector512.Load(weights) * scale, b = Vector512.Load(weights + 16) * scale;
            Vector512<float> c = Vector512.Load(weights + 32) * scale, d = Vector512.Load(weights + 48) * scale;
            if (scoring.SoftCap != 0)
            {
                a = Cap(a, scoring.SoftCap);
                b = Cap(b, scoring.SoftCap);
                c = Cap(c, scoring.SoftCap);
                d = Cap(d, scoring.SoftCap);
            }

            if (scoring.AlibiMaxBias != 0)
            {
                a = Bias(a, first - queries->Slot, queries->Slope);
                b = Bias(b, first + 16 - queries->Slot, queries->Slope);
                c = Bias(c, first + 32 - queries->Slot, queries->Slope);
                d = Bias(d, first + 48 - queries->Slot, queries->Slope);
            }

            if (queries->Biases != null)
            {
                a = Bias(a, first - queries->Slot, queries->Biases, scoring.Reach);
                b = Bias(b, first + 16 - queries->Slot, queries->Biases, scoring.Reach);
                c = Bias(c, first + 32 - queries->Slot, queries->Biases, scoring.Reach);
                d = Bias(d, first + 48 - queries->Slot, queries->Biases, scoring.Reach);
            }

            int oldest = queries->Oldest, newest = queries->Newest;
            if (first < oldest || first + Keys - 1 > newest)
            {
                a = Mask(a, first, oldest, newest);
                b = Mask(b, first + 16, oldest, newest);
                c = Mask(c, first + 32, oldest, newest);
                d = Mask(d, first + 48, oldest, newest);
            }

            float before = maxima[row], now = Math.Max(before, VectorMath.Largest(Vector512.Max(Vector512.Max(a, b), Vector512.Max(c, d))));
            if (float.IsNegativeInfinity(now))
            {
                new Span<float>(weights, Keys).Clear();
                continue;
            }

            Vector512<float> maximum = Vector512.Create(now);
            a = VectorMath.Exp(a - maximum);
            b = VectorMath.Exp(b - maximum);
            c = VectorMath.Exp(c - maximum);
            d = VectorMath.Exp(d - maximum);
            a.Store(weights);
            b.Store(weights + 16);
            c.Store(weights + 32);
            d.Store(weights + 48);
            float added = Vector512.Sum((a + b) + (c + d));
            if (now == before)
            {
                sums[row] += added;
                continue;
            }

            float shrink = MathF.Exp(before - now);
            maxima[row] = now;
            sums[row] = (sums[row] * shrink) + added;
            for (int i = 0; i < stride; i += 16) (Vector512.Load(output + i) * shrink).Store(output + i);
        }
    }

    /// <summary><c>o[r] += Σ_j weights[r, j] · v[j]</c>; weights of rows that do not exist are whatever was there, and so is their output.</summary>
    /// <param name="weights">The page's 32 of [4, 64].</param>
    /// <param name="v">[tokens, stride].</param>
    /// <param name="tokens">Tokens of the page that anybody sees: what is stored behind them is whatever was there, and may be no number, which a weight of 0 does not hide.</param>
    /// <param name="stride">Values in a row, a multiple of 16.</param>
    /// <param name="output">[4, stride].</param>
    /// <param name="next">Memory that is needed next.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Accumulate(float* weights, float* v, int tokens, int stride, float* output, Ahead next)
    {
        int i = 0;
        for (; i <= stride - 32; i += 32) AccumulateTwo(weights, v + i, tokens, stride, output + i, ref next);
        if (i < stride) AccumulateOne(weights, v + i, tokens, stride, output + i);
    }

    private static void AccumulateTwo(float* weights, float* v, int tokens, nint stride, float* o0, ref Ahead next)
    {
        Ahead ahead = next;
        float* o1 = o0 + stride, o2 = o1 + stride, o3 = o2 + stride, end = weights + tokens;
        Vector512<float> a0 = Vector512.Load(o0), a1 = Vector512.Load(o0 + 16), b0 = Vector512.Load(o1), b1 = Vector512.Load(o1 + 16);
        Vector512<float> c0 = Vector512.Load(o2), c1 = Vector512.Load(o2 + 16), d0 = Vector512.Load(o3), d1 = Vector512.Load(o3 + 16);
        for (; weights < end; weights++, v += stride)
        {
            ahead.Ask();
            Vector512<float> low = Vector512.Load(v), high = Vector512.Load(v + 16);
            Vector512<float> w = Vector512.Create(weights[0]);
            a0 = Vector512.FusedMultiplyAdd(w, low, a0);
            a1 = Vector512.FusedMultiplyAdd(w, high, a1);
            w = Vector512.Create(weights[Keys]);
            b0 = Vector512.FusedMultiplyAdd(w, low, b0);
            b1 = Vector512.FusedMultiplyAdd(w, high, b1);
            w = Vector512.Create(weights[2 * Keys]);
            c0 = Vector512.FusedMultiplyAdd(w, low, c0);
            c1 = Vector512.FusedMultiplyAdd(w, high, c1);
            w = Vector512.Create(weights[3 * Keys]);
            d0 = Vector512.FusedMultiplyAdd(w, low, d0);
            d1 = Vector512.FusedMultiplyAdd(w, high, d1);
        }

        next = ahead;
        a0.Store(o0);
        a1.Store(o0 + 16);
        b0.Store(o1);
        b1.Store(o1 + 16);
        c0.Store(o2);
        c1.Store(o2 + 16);
        d0.Store(o3);
        d1.Store(o3 + 16);
    }

    private static void AccumulateOne(float* weights, float* v, int tokens, nint stride, float* o0)
    {
        float* o1 = o0 + stride, o2 = o1 + stride, o3 = o2 + stride, end = weights + tokens;
        Vector512<float> a = Vector512.Load(o0), b = Vector512.Load(o1), c = Vector512.Load(o2), d = Vector512.Load(o3);
        for (; weights < end; weights++, v += stride)
        {
            Vector512<float> value = Vector512.Load(v);
            a = Vector512.FusedMultiplyAdd(Vector512.Create(weights[0]), value, a);
            b = Vector512.FusedMultiplyAdd(Vector512.Create(weights[Keys]), value, b);
            c = Vector512.FusedMultiplyAdd(Vector512.Create(weights[2 * Keys]), value, c);
            d = Vector512.FusedMultiplyAdd(Vector512.Create(weights[3 * Keys]), value, d);
        }

        a.Store(o0);
        b.Store(o1);
        c.Store(o2);
        d.Store(o3);
    }

    /// <summary>Finishes the scores of one query in place: scale, cap, bias, mask. Returns the largest.</summary>
    /// <param name="scoring">Scale, cap, window.</param>
    /// <param name="first">Slot of the first key.</param>
    /// <param name="query">The query.</param>
    /// <param name="vectors">Scores, in sixteens.</param>
    /// <param name="scores">The scores.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static float Finish(in Scoring scoring, int first, QueryRow* query, int vectors, float* scores)
    {
        Vector512<float> scale = Vector512.Create(scoring.Scale), largest = Vector512.Create(float.NegativeInfinity);
        int oldest = query->Oldest, newest = query->Newest;
        for (int i = 0; i < vectors; i++, first += 16, scores += 16)
        {
            Vector512<float> values = Vector512.Load(scores) * scale;
            if (scoring.SoftCap != 0) values = Cap(values, scoring.SoftCap);
            if (scoring.AlibiMaxBias != 0) values = Bias(values, first - query->Slot, query->Slope);
            if (query->Biases != null) values = Bias(values, first - query->Slot, query->Biases, scoring.Reach);
            if (first < oldest || first + 15 > newest) values = Mask(values, first, oldest, newest);
            values.Store(scores);
            largest = Vector512.Max(largest, values);
        }

        return VectorMath.Largest(largest);
    }

    /// <summary>The weights <c>e^(s − m)</c> of one query as a row of tiles, in parts (<see cref="Tiles.TileLayout.Parts"/>). Returns their sum.</summary>
    /// <param name="maximum">m.</param>
    /// <param name="pages">Pages of 32 scores.</param>
    /// <param name="scores">The scores.</param>
    /// <param name="tiles">The row in the tile of the first page.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static float Weigh(float maximum, int pages, float* scores, byte* tiles)
    {
        Vector512<float> m = Vector512.Create(maximum), sum = Vector512<float>.Zero;
        for (int page = 0; page < pages; page++, scores += PageTokens, tiles += Tiles.TileLayout.Parts * Tiles.TileLayout.TileBytes)
        {
            Vector512<float> low = VectorMath.Exp(Vector512.Load(scores) - m), high = VectorMath.Exp(Vector512.Load(scores + 16) - m);
            sum += low + high;
            Tiles.TileActivations.StoreParts(low, high, tiles);
        }

        return Vector512.Sum(sum);
    }

    private static Vector512<float> Cap(Vector512<float> scores, float cap) => VectorMath.Tanh(scores / cap) * cap;

    private static Vector512<float> Bias(Vector512<float> scores, int distance, float slope) =>
        Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(Vector512.Abs(Vector512.Create(distance) + Vector512<int>.Indices)), Vector512.Create(-slope), scores);

    // The outermost sixteen of a table are the same, so that a vector of farther keys may be moved to where it ends.
    private static Vector512<float> Bias(Vector512<float> scores, int distance, float* biases, int reach) =>
        scores + Vector512.Load(biases + Math.Clamp(distance, -reach, reach - 15));

    private static Vector512<float> Mask(Vector512<float> scores, int first, int oldest, int newest)
    {
        Vector512<int> slots = Vector512.Create(first) + Vector512<int>.Indices;
        Vector512<int> seen = Vector512.GreaterThanOrEqual(slots, Vector512.Create(oldest)) & Vector512.LessThanOrEqual(slots, Vector512.Create(newest));
        return Vector512.ConditionalSelect(seen.AsSingle(), scores, Vector512.Create(float.NegativeInfinity));
    }
}
