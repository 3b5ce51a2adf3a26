using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Numerics;

namespace Quern.Kernels.Cpu.Attention;

/// <summary>
/// <c>y = softmax(cap(scale · q Kᵀ)) V</c> over the pages of each sequence, one page of 32 slots after the other with a running maximum m and sum l:
/// <c>m' = max(m, max s)</c>, <c>l' = l e^(m − m') + Σ e^(s − m')</c>, <c>o' = o e^(m − m') + Σ e^(s − m') v</c>, <c>y = o / l</c>. An item is a tile of
/// queries that share a KV head: all heads of its group, of one or more neighbouring tokens; a page is read and widened once for the tile.
/// Source: Milakov and Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135.
/// </summary>
internal readonly unsafe struct FlashAttention(
    Tensor queries, BatchView batch, LayerPages pages, AttentionOptions options, Tensor y, byte* scratch) : ITeamJob
{
    private const int Block = 4;
    private const int PageTokens = KvLayout.PageTokens;
    private readonly Tensor _queries = queries;
    private readonly BatchView _batch = batch;
    private readonly LayerPages _pages = pages;
    private readonly AttentionOptions _options = options;
    private readonly Tensor _y = y;
    private readonly byte* _scratch = scratch;

    private int Group => _options.Heads / _pages.Layer.Heads;

    /// <summary>Number of items: pass it to the team.</summary>
    public int Items
    {
        get
        {
            int items = 0;
            for (int i = 0; i < _batch.RunCount; i++) items += Tiles(_batch.Run(i)) * _pages.Layer.Heads;
            return items;
        }
    }

    /// <summary>Bytes of one worker's scratch memory.</summary>
    public static long ScratchBytes(KvLayer layer, int heads)
    {
        long rows = PaddedRows(heads / layer.Heads), stride = LayerPages.Pad(layer.ValueLength);
        return sizeof(float) * ((PageTokens * (layer.KeyLength + stride)) + (Block * PageTokens) + (rows * (stride + 32)));
    }

    public void Run(int from, int to, int worker)
    {
        byte* scratch = _scratch + (worker * ScratchBytes(_pages.Layer, _options.Heads));
        for (int item = from; item < to; item++)
        {
            int rest = item, i = 0;
            while (rest >= Tiles(_batch.Run(i)) * _pages.Layer.Heads) rest -= Tiles(_batch.Run(i++)) * _pages.Layer.Heads;
            SequenceRun run = _batch.Run(i);
            int tile = rest / _pages.Layer.Heads, tokens = TokensPerTile(Group);
            ComputeTile(in run, rest % _pages.Layer.Heads, tile * tokens, Math.Min(tokens, run.Count - (tile * tokens)), (float*)scratch);
        }
    }

    private static int TokensPerTile(int group) => Math.Max(1, 16 / group);

    private static int PaddedRows(int group) => ((TokensPerTile(group) * group) + Block - 1) & -Block;

    private int Tiles(in SequenceRun run) => (run.Count + TokensPerTile(Group) - 1) / TokensPerTile(Group);

    private void ComputeTile(in SequenceRun run, int head, int firstToken, int tokens, float* scratch)
    {
        int group = Group, rows = tokens * group, stride = _pages.ValueStride, keyLength = _pages.Layer.KeyLength;
        float* keyPage = scratch, valuePage = keyPage + (keyLength * PageTokens), weights = valuePage + (PageTokens * stride);
        float* maxima = weights + (Block * PageTokens), sums = maxima + PaddedRows(group), output = sums + PaddedRows(group);
        new Span<float>(maxima, rows).Fill(float.NegativeInfinity);
        new Span<float>(sums, rows).Clear();
        new Span<float>(output, PaddedRows(group) * stride).Clear();

        int firstSlot = run.FirstSlot + firstToken, lastSlot = firstSlot + tokens - 1;
        int lowest = _options.Window == 0 ? 0 : Math.Max(0, firstSlot - _options.Window + 1);
        for (int page = lowest / PageTokens; page <= lastSlot / PageTokens; page++)
        {
            int number = _batch.Page(in run, page), base0 = page * PageTokens;
            float* k = Widen(_pages.Keys(number, head), keyLength * PageTokens, keyPage);
            float* v = Widen(_pages.Values(number, head), PageTokens * stride, valuePage);
            for (int row = 0; row < rows; row += Block)
            {
                int newest = firstSlot + (Math.Min(row + Block, rows) - 1) / group;
                if (base0 > newest) continue;
                float* o = output + ((nint)row * stride);
                Score(in run, head, firstToken, row, rows, base0, k, weights, maxima, sums, o);
                Accumulate(weights, v, stride, o);
            }
        }

        for (int row = 0; row < rows; row++)
        {
            float* target = (float*)_y.Address + ((nint)(run.FirstRow + firstToken + (row / group)) * _y.Stride)
                + (((head * group) + (row % group)) * _pages.Layer.ValueLength);
            for (int i = 0; i < _pages.Layer.ValueLength; i++) target[i] = output[(row * stride) + i] / sums[row];
        }
    }

    private float* Widen(byte* stored, int count, float* scratch)
    {
        if (_pages.Type == KvType.F32) return (float*)stored;
        for (int i = 0; i < count; i += 16)
        {
            Vector256<ushort> halves = Vector256.Load((ushort*)stored + i);
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(halves);
            Float16.ToSingle(Vector512.Create(low, high).AsInt32()).Store(scratch + i);
        }

        return scratch;
    }

    /// <summary>Scores of four queries against a page, turned into softmax weights; the running maxima, sums and outputs are brought to the new maximum.</summary>
    private void Score(
        in SequenceRun run, int head, int firstToken, int row, int rows, int base0, float* k, float* weights, float* maxima, float* sums, float* output)
    {
        int group = Group, keyLength = _pages.Layer.KeyLength;
        float* q0 = Query(in run, head, firstToken, row), q1 = Query(in run, head, firstToken, Math.Min(row + 1, rows - 1));
        float* q2 = Query(in run, head, firstToken, Math.Min(row + 2, rows - 1)), q3 = Query(in run, head, firstToken, Math.Min(row + 3, rows - 1));
        Vector512<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default;
        for (int i = 0; i < keyLength; i++, k += PageTokens)
        {
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

        int slot = run.FirstSlot + firstToken, stride = _pages.ValueStride;
        Soften(a0, a1, slot + (row / group), base0, weights, maxima + row, sums + row, output, stride);
        if (row + 1 < rows) Soften(b0, b1, slot + ((row + 1) / group), base0, weights + PageTokens, maxima + row + 1, sums + row + 1, output + stride, stride);
        if (row + 2 < rows) Soften(c0, c1, slot + ((row + 2) / group), base0, weights + (2 * PageTokens), maxima + row + 2, sums + row + 2, output + (2 * stride), stride);
        if (row + 3 < rows) Soften(d0, d1, slot + ((row + 3) / group), base0, weights + (3 * PageTokens), maxima + row + 3, sums + row + 3, output + (3 * stride), stride);
    }

    private float* Query(in SequenceRun run, int head, int firstToken, int row) =>
        (float*)_queries.Address + ((nint)(run.FirstRow + firstToken + (row / Group)) * _queries.Stride)
        + (((head * Group) + (row % Group)) * _pages.Layer.KeyLength);

    /// <summary>One query's 32 scores: scale, cap, mask; then weights <c>e^(s − m')</c>, and everything before is multiplied by <c>e^(m − m')</c>.</summary>
    private void Soften(
        Vector512<float> low, Vector512<float> high, int slot, int base0, float* weights, float* maximum, float* sum, float* output, int stride)
    {
        low *= _options.Scale;
        high *= _options.Scale;
        if (_options.SoftCap != 0)
        {
            low = VectorMath.Tanh(low / _options.SoftCap) * _options.SoftCap;
            high = VectorMath.Tanh(high / _options.SoftCap) * _options.SoftCap;
        }

        int oldest = _options.Window == 0 ? 0 : slot - _options.Window + 1;
        low = Mask(low, base0, oldest, slot);
        high = Mask(high, base0 + 16, oldest, slot);
        Vector512<float> larger = Vector512.Max(low, high);
        Vector256<float> half = Vector256.Max(larger.GetLower(), larger.GetUpper());
        Vector128<float> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        float top = Math.Max(
            Math.Max(quarter.GetElement(0), quarter.GetElement(1)), Math.Max(quarter.GetElement(2), quarter.GetElement(3)));
        float before = *maximum, now = Math.Max(before, top);
        if (float.IsNegativeInfinity(now))
        {
            new Span<float>(weights, PageTokens).Clear();
            return;
        }

        low = VectorMath.Exp(low - Vector512.Create(now));
        high = VectorMath.Exp(high - Vector512.Create(now));
        low.Store(weights);
        high.Store(weights + 16);
        float shrink = MathF.Exp(before - now);
        *maximum = now;
        *sum = (*sum * shrink) + Vector512.Sum(low + high);
        if (shrink == 1) return;
        for (int i = 0; i < stride; i += 16) (Vector512.Load(output + i) * shrink).Store(output + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Mask(Vector512<float> scores, int first, int oldest, int newest)
    {
        if (first >= oldest && first + 15 <= newest) return scores;
        Vector512<int> slots = Vector512.Create(first) + Vector512<int>.Indices;
        Vector512<int> seen = Vector512.GreaterThanOrEqual(slots, Vector512.Create(oldest)) & Vector512.LessThanOrEqual(slots, Vector512.Create(newest));
        return Vector512.ConditionalSelect(seen.AsSingle(), scores, Vector512.Create(float.NegativeInfinity));
    }

    /// <summary><c>o[r] += Σ_j weights[r, j] · v[j]</c> for four queries; weights of rows that do not exist are whatever was there, and so is their output.</summary>
    private static void Accumulate(float* weights, float* v, int stride, float* output)
    {
        float* o1 = output + stride, o2 = o1 + stride, o3 = o2 + stride;
        for (int i = 0; i < stride; i += 16)
        {
            Vector512<float> a = Vector512.Load(output + i), b = Vector512.Load(o1 + i), c = Vector512.Load(o2 + i), d = Vector512.Load(o3 + i);
            float* column = v + i;
            for (int j = 0; j < PageTokens; j++, column += stride)
            {
                Vector512<float> value = Vector512.Load(column);
                a = Vector512.FusedMultiplyAdd(Vector512.Create(weights[j]), value, a);
                b = Vector512.FusedMultiplyAdd(Vector512.Create(weights[PageTokens + j]), value, b);
                c = Vector512.FusedMultiplyAdd(Vector512.Create(weights[(2 * PageTokens) + j]), value, c);
                d = Vector512.FusedMultiplyAdd(Vector512.Create(weights[(3 * PageTokens) + j]), value, d);
            }

            a.Store(output + i);
            b.Store(o1 + i);
            c.Store(o2 + i);
            d.Store(o3 + i);
        }
    }
}
