namespace Quern.Kernels.Cpu.Attention;

/// <summary>Queries that are computed together: of one sequence and one KV head, all heads of its group for some neighbouring tokens. Row r is token r / group, head r % group.</summary>
/// <param name="Run">The sequence's tokens in the batch.</param>
/// <param name="Head">The KV head.</param>
/// <param name="FirstToken">The first token, counted in the run.</param>
/// <param name="Tokens">Number of tokens.</param>
internal readonly record struct QueryTile(SequenceRun Run, int Head, int FirstToken, int Tokens);

/// <summary>How the queries of a batch are cut into tiles: the items of an attention job.</summary>
/// <param name="batch">The sequences.</param>
/// <param name="kvHeads">KV heads of the layer.</param>
/// <param name="group">Query heads that share one.</param>
/// <param name="rows">Rows of a tile, where a sequence has so many queries.</param>
internal readonly struct QueryTiles(BatchView batch, int kvHeads, int group, int rows)
{
    private readonly BatchView _batch = batch;
    private readonly int _kvHeads = kvHeads, _tokens = Math.Max(1, rows / group);

    /// <summary>Query heads that share a KV head.</summary>
    public int Group { get; } = group;

    /// <summary>Most rows of a tile.</summary>
    public int Rows => _tokens * Group;

    /// <summary>Number of tiles.</summary>
    public int Count
    {
        get
        {
            int count = 0;
            for (int i = 0; i < _batch.RunCount; i++) count += Of(_batch.Run(i));
            return count;
        }
    }

    /// <summary>A tile by its number.</summary>
    public QueryTile this[int number]
    {
        get
        {
            int i = 0;
            while (number >= Of(_batch.Run(i))) number -= Of(_batch.Run(i++));
            SequenceRun run = _batch.Run(i);
            int first = number / _kvHeads * _tokens;
            return new QueryTile(run, number % _kvHeads, first, Math.Min(_tokens, run.Count - first));
        }
    }

    /// <summary>The query of a row.</summary>
    public unsafe float* Query(in QueryTile tile, int row, Tensor queries, int length) =>
        (float*)queries.Address + ((nint)(tile.Run.FirstRow + tile.FirstToken + (row / Group)) * queries.Stride) + (((tile.Head * Group) + (row % Group)) * length);

    private int Of(in SequenceRun run) => (run.Count + _tokens - 1) / _tokens * _kvHeads;
}
