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
    private const int Block = AttentionBlock.Rows;
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
                int here = Math.Min(Block, rows - row);
                if (base0 > firstSlot + ((row + here - 1) / group)) continue;
                float* o = output + ((nint)row * stride);
                AttentionBlock.Score(
                    Query(in run, head, firstToken, row), Query(in run, head, firstToken, Math.Min(row + 1, rows - 1)),
                    Query(in run, head, firstToken, Math.Min(row + 2, rows - 1)), Query(in run, head, firstToken, Math.Min(row + 3, rows - 1)),
                    k, keyLength, weights);
                for (int i = 0; i < here; i++)
                {
                    AttentionBlock.Soften(
                        in _options, base0, firstSlot + ((row + i) / group), weights + (i * PageTokens), maxima + row + i, sums + row + i, o + ((nint)i * stride), stride);
                }

                AttentionBlock.Accumulate(weights, v, stride, o);
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
