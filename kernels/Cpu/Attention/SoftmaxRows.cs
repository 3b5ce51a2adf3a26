using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Tiles;

namespace Quern.Kernels.Cpu.Attention;

/// <summary>The running softmax of a tile's rows: maximum m, sum l and output o of each, with what scores need of its query.</summary>
/// <param name="memory">Memory of <see cref="Floats"/> numbers.</param>
/// <param name="rows">Rows, padded as the products need them.</param>
/// <param name="stride">Values of an output, a multiple of 16.</param>
internal readonly unsafe struct SoftmaxRows(float* memory, int rows, int stride)
{
    private readonly float* _maxima = memory + ((nint)rows * stride), _sums = memory + ((nint)rows * (stride + 1));
    private readonly QueryRow* _queries = (QueryRow*)(memory + ((nint)rows * (stride + 2)));
    private readonly int _rows = rows, _stride = stride;

    /// <summary>[rows, stride] the outputs.</summary>
    public float* Output { get; } = memory;

    /// <summary>Numbers that so many rows take.</summary>
    public static long Floats(long rows, int stride) => rows * (stride + 2 + QueryRow.Floats);

    /// <summary>The oldest slot that any of some rows sees.</summary>
    public int Oldest(int first, int count)
    {
        int oldest = _queries[first].Oldest;
        for (int row = first + 1; row < first + count; row++) oldest = Math.Min(oldest, _queries[row].Oldest);
        return oldest;
    }

    /// <summary>The newest slot that a row sees.</summary>
    public int Newest(int row) => _queries[row].Newest;

    /// <summary>Begins a tile. A sink is a score of weight e^0 that is there before all others, and has no value.</summary>
    public void Begin(in QueryTile tile, int group, in BatchView batch, in Scoring scoring)
    {
        int rows = tile.Tokens * group;
        for (int row = 0; row < rows; row++)
        {
            int head = (tile.Head * group) + (row % group);
            (_maxima[row], _sums[row]) = scoring.Sinks == null ? (float.NegativeInfinity, 0) : (scoring.Sinks[head], 1);
            _queries[row] = scoring.Row(tile.Run, batch.Position(tile.Run, tile.FirstToken + (row / group)), head);
        }

        // Products go over whole blocks of rows.
        new Span<float>(Output, Math.Min(_rows, (rows + AttentionBlock.Rows - 1) & -AttentionBlock.Rows) * _stride).Clear();
    }

    /// <summary>Makes weights of the scores of some rows; see <see cref="AttentionBlock.Soften"/>.</summary>
    public void Soften(in Scoring scoring, int firstSlot, int row, int count, float* weights) =>
        AttentionBlock.Soften(
            in scoring, firstSlot, _queries + row, count, weights, _maxima + row, _sums + row, Output + ((nint)row * _stride), _stride);

    /// <summary>The same for one row and any number of pages, with the weights as a row of tiles.</summary>
    /// <param name="scoring">How scores are made.</param>
    /// <param name="firstSlot">Slot of the first key.</param>
    /// <param name="row">The row.</param>
    /// <param name="pages">Pages of keys.</param>
    /// <param name="scores">[32 × pages], spoilt by the call.</param>
    /// <param name="tiles">The row in the tile of the first page.</param>
    public void SoftenToTiles(in Scoring scoring, int firstSlot, int row, int pages, float* scores, byte* tiles)
    {
        // Pages behind the newest slot weigh nothing.
        int seen = Math.Clamp(((_queries[row].Newest - firstSlot) / KvLayout.PageTokens) + 1, 0, pages);
        float before = _maxima[row], now = before;
        if (seen > 0) now = Math.Max(before, AttentionBlock.Finish(in scoring, firstSlot, _queries + row, 2 * seen, scores));
        if (float.IsNegativeInfinity(now)) seen = 0;
        float added = AttentionBlock.Weigh(now, seen, scores, tiles);
        for (int part = seen * TileLayout.Parts; part < pages * TileLayout.Parts; part++) Vector512<uint>.Zero.Store((uint*)(tiles + (part * TileLayout.TileBytes)));
        if (now == before)
        {
            _sums[row] += added;
            return;
        }

        float shrink = MathF.Exp(before - now);
        float* output = Output + ((nint)row * _stride);
        _maxima[row] = now;
        _sums[row] = (_sums[row] * shrink) + added;
        for (int i = 0; i < _stride; i += 16) (Vector512.Load(output + i) * shrink).Store(output + i);
    }

    /// <summary>Writes o / l of a tile's rows.</summary>
    public void End(in QueryTile tile, int group, int length, Tensor y)
    {
        for (int row = 0; row < tile.Tokens * group; row++)
        {
            float* target = (float*)y.Address + ((nint)(tile.Run.FirstRow + tile.FirstToken + (row / group)) * y.Stride) + (((tile.Head * group) + (row % group)) * length);
            for (int i = 0; i < length; i++) target[i] = Output[((nint)row * _stride) + i] / _sums[row];
        }
    }
}
