using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Tiles;

namespace Quern.Kernels.Cpu.Attention;

/// <summary>
/// <see cref="FlashAttention"/> on the tile unit, for prompts: queries, keys, values and softened scores as bfloat16 tiles in two parts (<see cref="TileLayout.Parts"/>), so that nothing of a binary16 cache is lost, sums in binary32. An item is a tile of
/// queries that share a KV head; eight pages of keys and values at a time become tiles once for all of them.
/// </summary>
internal unsafe struct TileAttention(Tensor queries, BatchView batch, LayerPages pages, AttentionOptions options, Tensor y) : ITeamJob
{
    private const int Sixteen = TileLayout.Rows, Pair = 2 * Sixteen;
    private const int PageTokens = KvLayout.PageTokens, Pages = 8, Keys = Pages * PageTokens;

    /// <summary>Queries of a tile, where a sequence has so many.</summary>
    private const int TileRows = 128;

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
        QueryBytes + KeyBytes + ValueBytes + WeightTileBytes + WidePageBytes + (sizeof(float) * (((long)PaddedRows * Keys) + SoftmaxRows.Floats(PaddedRows, _pages.ValueStride)));

    private readonly int PaddedRows => (_tiles.Rows + Pair - 1) & -Pair;

    private readonly long QueryBytes => PaddedRows / Sixteen * Bytes(_pages.Layer.KeyLength);

    private readonly long KeyBytes => Keys / Sixteen * Bytes(_pages.Layer.KeyLength);

    private readonly long ValueBytes => _pages.ValueStride / Sixteen * Bytes(Keys);

    private readonly long WidePageBytes => Math.Max(_pages.Layer.KeyLength, _pages.ValueStride) * PageTokens * sizeof(float);

    private readonly long WeightTileBytes => PaddedRows / Sixteen * Bytes(Keys);

    /// <summary>Whether heads of these lengths fill tiles, some sequence has queries enough to be worth them, and none has a tree.</summary>
    public static bool Serves(KvLayer layer, int heads, ReadOnlySpan<SequenceRun> runs)
    {
        if (layer.KeyLength % TileLayout.StepColumns != 0) return false;
        bool serves = false;
        foreach (SequenceRun run in runs)
        {
            if (run.TreeSlot != SequenceRun.NoTree) return false;
            serves |= run.Count * (heads / layer.Heads) >= Pair;
        }

        return serves;
    }

    public readonly void Run(int from, int to, int worker)
    {
        for (int item = from; item < to; item++) ComputeTile(_tiles[item], Scratch + (worker * ScratchBytes));
    }

    private readonly void ComputeTile(in QueryTile tile, byte* scratch)
    {
        byte* queries = scratch, keys = queries + QueryBytes, values = keys + KeyBytes, weightTiles = values + ValueBytes;
        float* wide = (float*)(weightTiles + WeightTileBytes), scores = wide + (WidePageBytes / sizeof(float));
        SoftmaxRows softmax = new(scores + ((nint)PaddedRows * Keys), PaddedRows, _pages.ValueStride);
        int rows = tile.Tokens * _tiles.Group;
        PlaceQueries(in tile, rows, queries);
        softmax.Begin(in tile, _tiles.Group, in _batch, in _scoring);
        int lastPage = softmax.Newest(rows - 1) / PageTokens;
        for (int page = softmax.Oldest(0, rows) / PageTokens; page <= lastPage; page += Pages)
        {
            int count = Math.Min(Pages, lastPage - page + 1);
            for (int i = 0; i < count; i++) PlacePage(_batch.Page(tile.Run, page + i), tile.Head, i, softmax.Newest(rows - 1) + 1 - ((page + i) * PageTokens), keys, values, wide);

            // Pairs of queries that are before all these keys have nothing to do with them.
            int row = 0;
            while (page * PageTokens > softmax.Newest(Math.Min(row + Pair, rows) - 1)) row += Pair;
            Score(queries, row, rows, keys, count, scores);
            for (int r = row; r < rows; r++) softmax.SoftenToTiles(in _scoring, page * PageTokens, r, count, scores + (r * Keys), Row(weightTiles, r, Keys));
            Accumulate(weightTiles, row, rows, values, count, softmax.Output);
        }

        softmax.End(in tile, _tiles.Group, _pages.Layer.ValueLength, _y);
    }

    private static byte* Row(byte* tiles, int row, int cols) => tiles + (row / Sixteen * Bytes(cols)) + (row % Sixteen * 64);

    private static long Bytes(int cols) => TileLayout.Parts * TileLayout.Bytes(cols);

    // Rows that fill up the last pair are zeros.
    private readonly void PlaceQueries(in QueryTile tile, int rows, byte* tiles)
    {
        int length = _pages.Layer.KeyLength, padded = (rows + Pair - 1) & -Pair;
        new Span<byte>(Row(tiles, rows & -Sixteen, length), (int)((padded - (rows & -Sixteen)) / Sixteen * Bytes(length))).Clear();
        for (int row = 0; row < rows; row++) TileActivations.PlaceParts(_tiles.Query(in tile, row, _queries, length), length, Row(tiles, row, length));
    }

    // Keys lie as [length, 32 slots]: two groups of sixteen "rows". Values lie as [32 slots, length]: their "rows" are what the columns of the stored matrix are, and the page is one step.
    // Values of slots that nothing was stored in yet are what the page's last owner left: their weight is 0, but not their product where they are no numbers.
    private readonly void PlacePage(int number, int head, int index, int slots, byte* keys, byte* values, float* wide)
    {
        int length = _pages.Layer.KeyLength, stride = _pages.ValueStride;
        byte* source = Numbers(_pages.KeyType, _pages.Keys(number, head), length, wide, isKeys: true, out FloatElement element);
        int bytes = element == FloatElement.Half ? sizeof(ushort) : sizeof(float);
        for (int group = 0; group < PageTokens / Sixteen; group++)
        {
            byte* target = keys + (((index * PageTokens / Sixteen) + group) * Bytes(length));
            for (int step = 0; step < length / TileLayout.StepColumns; step++)
                PlaceStep(element, source + (((nint)step * TileLayout.StepColumns * PageTokens) + (group * Sixteen)) * bytes, PageTokens * bytes, target + (step * TileLayout.Parts * TileLayout.TileBytes));
        }

        source = Numbers(_pages.ValueType, _pages.Values(number, head), stride, wide, isKeys: false, out element);
        bytes = element == FloatElement.Half ? sizeof(ushort) : sizeof(float);
        for (int group = 0; group < stride / Sixteen; group++)
        {
            byte* target = values + (group * Bytes(Keys)) + (index * TileLayout.Parts * TileLayout.TileBytes);
            PlaceStep(element, source + (group * Sixteen * bytes), stride * bytes, target);
            if (slots < PageTokens) Forget((uint*)target, slots);
        }
    }

    // Sets columns from a number on to zero, in all parts of a step.
    private static void Forget(uint* tiles, int columns)
    {
        for (int row = 0; row < TileLayout.Parts * Sixteen; row++)
        {
            int column = row % Sixteen;
            uint kept = (column < columns ? 0xffffu : 0) | (column + Sixteen < columns ? 0xffff0000 : 0);
            (Vector512.Load(tiles + (row * Sixteen)) & Vector512.Create(kept)).Store(tiles + (row * Sixteen));
        }
    }

    // A page in a type that becomes tiles: as it lies, or in memory of our own.
    private static byte* Numbers(KvType type, byte* stored, int length, float* wide, bool isKeys, out FloatElement element)
    {
        element = type == KvType.F16 ? FloatElement.Half : FloatElement.Single;
        if (type == KvType.F16) return stored;
        return (byte*)(isKeys ? KvCodec.WidenKeys(type, stored, length, wide) : KvCodec.WidenValues(type, stored, length, wide));
    }

    private static void PlaceStep(FloatElement element, byte* source, int columnBytes, byte* target)
    {
        TileDecodeArguments arguments = new() { Weights = source, Blocks = 1, Tiles = target, ColumnBytes = columnBytes };
        TileFloatKernel.PlaceParts(element, ref arguments);
    }

    private readonly void Score(byte* queries, int row, int rows, byte* keys, int pages, float* scores)
    {
        long bytes = Bytes(_pages.Layer.KeyLength);
        for (int page = 0; page < pages; page++)
        {
            TileProductArguments arguments = new()
            {
                Activations = queries + (row / Sixteen * bytes),
                ActivationBytes = bytes,
                Weights = keys + (page * PageTokens / Sixteen * bytes),
                WeightBytes = bytes,
                Steps = TileLayout.Parts * _pages.Layer.KeyLength / TileLayout.StepColumns,
                Turns = (rows - row + Pair - 1) / Pair,
                TurnActivationBytes = 2 * bytes,
                Y = scores + (row * Keys) + (page * PageTokens),
                YTokenBytes = Keys * sizeof(float),
                TurnYBytes = Pair * Keys * sizeof(float),
            };
            ((delegate* unmanaged<TileProductArguments*, void>)TileProductKernel.Find(2, 2))(&arguments);
        }
    }

    private readonly void Accumulate(byte* weightTiles, int row, int rows, byte* values, int pages, float* output)
    {
        int stride = _pages.ValueStride, groups = stride / Sixteen, rowTiles = groups % 2 == 0 ? 2 : 1;
        for (int group = 0; group < groups; group += rowTiles)
        {
            float* o = output + ((nint)row * stride) + (group * Sixteen);
            TileProductArguments arguments = new()
            {
                Activations = weightTiles + (row / Sixteen * Bytes(Keys)),
                ActivationBytes = Bytes(Keys),
                Weights = values + (group * Bytes(Keys)),
                WeightBytes = Bytes(Keys),
                Steps = TileLayout.Parts * pages,
                Turns = (rows - row + Pair - 1) / Pair,
                TurnActivationBytes = 2 * Bytes(Keys),
                Before = o,
                BeforeTokenBytes = stride * sizeof(float),
                TurnBeforeBytes = Pair * stride * sizeof(float),
                Y = o,
                YTokenBytes = stride * sizeof(float),
                TurnYBytes = Pair * stride * sizeof(float),
            };
            ((delegate* unmanaged<TileProductArguments*, void>)TileProductKernel.Find(2, rowTiles))(&arguments);
        }
    }
}
