namespace Quern.Kernels.Cpu.Attention;

/// <summary>
/// <c>y = softmax(cap(scale · q Kᵀ)) V</c> over the pages of each sequence, two pages of 32 slots at a time with a running maximum m and sum l:
/// <c>m' = max(m, max s)</c>, <c>l' = l e^(m − m') + Σ e^(s − m')</c>, <c>o' = o e^(m − m') + Σ e^(s − m') v</c>, <c>y = o / l</c>. An item is a tile of
/// queries that share a KV head: all heads of its group, of one or more neighbouring tokens; a page is read and widened once for the tile.
/// Source: Milakov and Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135.
/// </summary>
internal readonly unsafe struct FlashAttention(
    Tensor queries, BatchView batch, LayerPages pages, AttentionOptions options, Tensor y, byte* scratch) : ITeamJob
{
    private const int Block = AttentionBlock.Rows;
    private const int PageTokens = KvLayout.PageTokens, Pages = AttentionBlock.Pages, Keys = AttentionBlock.Keys;

    /// <summary>Queries of a tile, where a sequence has so many: a page is widened once for all of them.</summary>
    private const int TileRows = 64;

    private readonly Tensor _queries = queries;
    private readonly BatchView _batch = batch;
    private readonly LayerPages _pages = pages;
    private readonly Scoring _scoring = new(options.Scale, options.SoftCap, options.Window);
    private readonly int _heads = options.Heads;
    private readonly float _alibi = options.AlibiMaxBias;
    private readonly float* _sinks = options.Sinks is { } sinks ? (float*)sinks.Address : null;
    private readonly Tensor _y = y;
    private readonly byte* _scratch = scratch;

    private int Group => _heads / _pages.Layer.Heads;

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
        return sizeof(float) * ((Keys * (layer.KeyLength + stride)) + (Block * Keys) + (rows * (stride + 4)) + 16);
    }

    public void Run(int from, int to, int worker)
    {
        byte* scratch = _scratch + (worker * ScratchBytes(_pages.Layer, _heads));
        for (int item = from; item < to; item++)
        {
            int rest = item, i = 0;
            while (rest >= Tiles(_batch.Run(i)) * _pages.Layer.Heads) rest -= Tiles(_batch.Run(i++)) * _pages.Layer.Heads;
            SequenceRun run = _batch.Run(i);
            int tile = rest / _pages.Layer.Heads, tokens = TokensPerTile(Group);
            ComputeTile(in run, rest % _pages.Layer.Heads, tile * tokens, Math.Min(tokens, run.Count - (tile * tokens)), (float*)scratch);
        }
    }

    private static int TokensPerTile(int group) => Math.Max(1, TileRows / group);

    private static int PaddedRows(int group) => ((TokensPerTile(group) * group) + Block - 1) & -Block;

    private int Tiles(in SequenceRun run) => (run.Count + TokensPerTile(Group) - 1) / TokensPerTile(Group);

    private void ComputeTile(in SequenceRun run, int head, int firstToken, int tokens, float* scratch)
    {
        int group = Group, rows = tokens * group, stride = _pages.ValueStride, keyLength = _pages.Layer.KeyLength;
        float* keyPages = scratch, valuePages = keyPages + (keyLength * Keys), weights = valuePages + (Keys * stride), output = weights + (Block * Keys);
        float* maxima = output + (PaddedRows(group) * stride), sums = maxima + PaddedRows(group);
        int* slots = (int*)(sums + PaddedRows(group));
        float* slopes = _alibi == 0 ? null : (float*)slots + PaddedRows(group);
        float** k = stackalloc float*[Pages], v = stackalloc float*[Pages];
        int firstSlot = run.FirstSlot + firstToken, lastSlot = firstSlot + tokens - 1;
        for (int row = 0; row < rows; row++)
        {
            // A sink is a score of weight e^0 that is there before all others, and has no value.
            int queryHead = (head * group) + (row % group);
            (maxima[row], sums[row]) = _sinks == null ? (float.NegativeInfinity, 0) : (_sinks[queryHead], 1);
            slots[row] = firstSlot + (row / group);
            if (slopes != null) slopes[row] = new AttentionOptions(_heads, 1) { AlibiMaxBias = _alibi }.AlibiSlope(queryHead);
        }

        new Span<float>(output, PaddedRows(group) * stride).Clear();

        int lowest = _scoring.Window == 0 ? 0 : Math.Max(0, firstSlot - _scoring.Window + 1), lastPage = lastSlot / PageTokens;
        for (int page = lowest / PageTokens; page <= lastPage; page += Pages)
        {
            int count = Math.Min(Pages, lastPage - page + 1);
            for (int i = 0; i < count; i++)
            {
                int number = _batch.Page(in run, page + i);
                k[i] = Widen(_pages.Keys(number, head), keyLength * PageTokens, keyPages + (keyLength * PageTokens * i));
                v[i] = Widen(_pages.Values(number, head), PageTokens * stride, valuePages + (PageTokens * stride * i));
            }

            for (int row = 0; row < rows; row += Block)
            {
                int here = Math.Min(Block, rows - row);
                if (page * PageTokens > slots[row + here - 1]) continue;
                float* q0 = Query(in run, head, firstToken, row), q1 = Query(in run, head, firstToken, Math.Min(row + 1, rows - 1));
                float* q2 = Query(in run, head, firstToken, Math.Min(row + 2, rows - 1)), q3 = Query(in run, head, firstToken, Math.Min(row + 3, rows - 1));
                for (int i = 0; i < count; i++) AttentionBlock.Score(q0, q1, q2, q3, k[i], keyLength, weights + (PageTokens * i));

                // Where there is no second page, the mask of slots hides whatever its scores are.
                float* o = output + ((nint)row * stride);
                AttentionBlock.Soften(in _scoring, page * PageTokens, slots + row, slopes == null ? null : slopes + row, here, weights, maxima + row, sums + row, o, stride);
                for (int i = 0; i < count; i++) AttentionBlock.Accumulate(weights + (PageTokens * i), v[i], stride, o);
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
        Float16.Widen((ushort*)stored, count, scratch);
        return scratch;
    }

    private float* Query(in SequenceRun run, int head, int token, int row) =>
        (float*)_queries.Address + ((nint)(run.FirstRow + token + (row / Group)) * _queries.Stride)
        + (((head * Group) + (row % Group)) * _pages.Layer.KeyLength);
}
