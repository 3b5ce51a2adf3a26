namespace Quern.Kernels.Cpu.Attention;

/// <summary>
/// <c>y = softmax(cap(scale · q Kᵀ)) V</c> over the pages of each sequence, two pages of 32 slots at a time with a running maximum m and sum l:
/// <c>m' = max(m, max s)</c>, <c>l' = l e^(m − m') + Σ e^(s − m')</c>, <c>o' = o e^(m − m') + Σ e^(s − m') v</c>, <c>y = o / l</c>. An item is a tile of
/// queries that share a KV head: all heads of its group, of one or more neighbouring tokens; a page is read and widened once for the tile. Tokens of a tree have the pages before it in common; behind them, each
/// looks at pages in which its ancestors lie one behind the other, so that sums are those of the text without the tree, to the bit.
/// Source: Milakov and Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135.
/// </summary>
internal unsafe struct FlashAttention(Tensor queries, BatchView batch, LayerPages pages, AttentionOptions options, Tensor y) : ITeamJob
{
    private const int Block = AttentionBlock.Rows;
    private const int PageTokens = KvLayout.PageTokens, Pages = AttentionBlock.Pages, Keys = AttentionBlock.Keys;

    /// <summary>Queries of a tile, where a sequence has so many: a page is widened once for all of them.</summary>
    private const int TileRows = 64;

    private readonly Tensor _queries = queries;
    private readonly BatchView _batch = batch;
    private readonly LayerPages _pages = pages;
    private readonly QueryTiles _tiles = new(batch, pages.Layer.Heads, options.Heads / pages.Layer.Heads, TileRows);
    private readonly Scoring _scoring = new(options);
    private readonly Tensor _y = y;

    /// <summary>Memory of all workers, <see cref="ScratchBytes"/> each.</summary>
    public byte* Scratch;

    /// <summary>Number of items: pass it to the team.</summary>
    public readonly int Items => _tiles.Count;

    /// <summary>Bytes of one worker's scratch memory.</summary>
    public readonly long ScratchBytes =>
        TreePages.ScratchBytes(_pages) + (sizeof(float) * ((Keys * (_pages.Layer.KeyLength + _pages.ValueStride)) + (Block * Keys) + SoftmaxRows.Floats(PaddedRows, _pages.ValueStride) + 16));

    // Blocks begin at any row of a tree.
    private readonly int PaddedRows => ((_tiles.Rows + Block - 1) & -Block) + Block;

    public readonly void Run(int from, int to, int worker)
    {
        float* scratch = (float*)(Scratch + (worker * ScratchBytes));
        for (int item = from; item < to; item++) ComputeTile(_tiles[item], scratch);
    }

    private readonly void ComputeTile(in QueryTile tile, float* scratch)
    {
        int group = _tiles.Group, rows = tile.Tokens * group, stride = _pages.ValueStride, keyLength = _pages.Layer.KeyLength;
        float* keyPages = scratch, valuePages = keyPages + (keyLength * Keys), weights = valuePages + (Keys * stride);
        SoftmaxRows softmax = new(weights + (Block * Keys), PaddedRows, stride);
        float** k = stackalloc float*[Pages], v = stackalloc float*[Pages];
        softmax.Begin(in tile, group, in _batch, in _scoring);
        bool isTree = tile.Run.TreeSlot != SequenceRun.NoTree;
        // Sums are the same whatever else is in the tile: which pages are taken together does not depend on it.
        int page = softmax.Oldest(0, rows) / PageTokens & -Pages, lastPage = isTree ? (tile.Run.TreeSlot / PageTokens) - 1 : softmax.Newest(rows - 1) / PageTokens;
        for (; page <= lastPage - (isTree ? Pages - 1 : 0); page += Pages)
        {
            int count = Math.Min(Pages, lastPage - page + 1);
            for (int i = 0; i < count; i++)
            {
                int number = _batch.Page(tile.Run, page + i);
                k[i] = KvCodec.WidenKeys(_pages.KeyType, _pages.Keys(number, tile.Head), keyLength, keyPages + (keyLength * PageTokens * i));
                v[i] = KvCodec.WidenValues(_pages.ValueType, _pages.Values(number, tile.Head), stride, valuePages + (PageTokens * stride * i));
            }

            for (int row = 0; row < rows; row += Block) Attend(in tile, page, lastPage, count, k, v, row, rows, weights, in softmax);
        }

        for (int token = 0; isTree && token < tile.Tokens; token++)
        {
            TreePages tree = new(_batch, _pages, in tile, token, scratch + ((ScratchBytes - TreePages.ScratchBytes(_pages)) / sizeof(float)));
            int end = (token + 1) * group, newest = softmax.Newest(end - 1) / PageTokens;
            for (int own = page; own <= newest; own += Pages)
            {
                int count = Math.Min(Pages, newest - own + 1);
                for (int i = 0; i < count; i++)
                {
                    k[i] = KvCodec.WidenKeys(_pages.KeyType, tree.Keys(own + i, i), keyLength, keyPages + (keyLength * PageTokens * i));
                    v[i] = KvCodec.WidenValues(_pages.ValueType, tree.Values(own + i, i), stride, valuePages + (PageTokens * stride * i));
                }

                for (int row = token * group; row < end; row += Block) Attend(in tile, own, own, count, k, v, row, end, weights, in softmax);
            }
        }

        softmax.End(in tile, group, _pages.Layer.ValueLength, _y);
    }

    // Four queries and one or two pages.
    private readonly void Attend(in QueryTile tile, int page, int lastPage, int count, float** k, float** v, int row, int rows, float* weights, in SoftmaxRows softmax)
    {
        int here = Math.Min(Block, rows - row), stride = _pages.ValueStride;
        if (page * PageTokens > softmax.Newest(row + here - 1)) return;
        float* q0 = Query(in tile, row), q1 = Query(in tile, Math.Min(row + 1, rows - 1));
        float* q2 = Query(in tile, Math.Min(row + 2, rows - 1)), q3 = Query(in tile, Math.Min(row + 3, rows - 1));
        for (int i = 0; i < count; i++) AttentionBlock.Score(q0, q1, q2, q3, k[i], _pages.Layer.KeyLength, weights + (PageTokens * i), NextKeys(in tile, row, page + i, lastPage));

        // Where there is no second page, the mask of slots hides whatever its scores are.
        softmax.Soften(in _scoring, page * PageTokens, row, here, weights);

        // Rows behind the last are those of the next token, in a tree.
        new Span<float>(weights + (here * Keys), (Block - here) * Keys).Clear();
        int oldest = softmax.Oldest(row, here), newest = softmax.Newest(row + here - 1);
        for (int i = 0; i < count; i++)
        {
            // Of a page that a window has passed, and that may be another's now, nothing.
            int first = (page + i) * PageTokens, tokens = first + PageTokens <= oldest ? 0 : Math.Min(PageTokens, newest + 1 - first);
            AttentionBlock.Accumulate(weights + (PageTokens * i), v[i], tokens, stride, softmax.Output + ((nint)row * stride), NextValues(in tile, row, page + i, lastPage));
        }
    }

    // What the first queries ask for, of the page after the next one, is there for all others.
    private readonly Ahead NextKeys(in QueryTile tile, int row, int page, int lastPage)
    {
        bool asks = row == 0 && page + Pages <= lastPage;
        return new Ahead(_pages.Keys(_batch.Page(tile.Run, asks ? page + Pages : page), tile.Head), asks ? KvCodec.Bytes(_pages.KeyType, _pages.Layer.KeyLength) : 0, _pages.Layer.KeyLength);
    }

    private readonly Ahead NextValues(in QueryTile tile, int row, int page, int lastPage)
    {
        bool asks = row == 0 && page + Pages <= lastPage;
        return new Ahead(_pages.Values(_batch.Page(tile.Run, asks ? page + Pages : page), tile.Head), asks ? KvCodec.Bytes(_pages.ValueType, _pages.ValueStride) : 0, _pages.ValueStride);
    }

    private readonly float* Query(in QueryTile tile, int row) => _tiles.Query(in tile, row, _queries, _pages.Layer.KeyLength);
}
