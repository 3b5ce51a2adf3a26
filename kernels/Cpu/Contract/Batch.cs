namespace Quern.Kernels.Cpu;

/// <summary>The tokens that one sequence has in a <see cref="Batch"/>: consecutive rows, stored in consecutive slots of its cache.</summary>
/// <param name="FirstRow">Row of the first token in the batch.</param>
/// <param name="Count">Number of tokens.</param>
/// <param name="FirstSlot">Cache slot of the first token, which is the number of tokens that the sequence has stored before.</param>
/// <param name="TableStart">Where the sequence's pages begin in the batch's block tables.</param>
/// <param name="TableLength">Number of pages.</param>
public readonly record struct SequenceRun(int FirstRow, int Count, int FirstSlot, int TableStart, int TableLength)
{
    /// <summary>Slots at the beginning of the sequence that hold a text which is read as a whole, 0 without: see <see cref="AttentionOptions.OverPrefix"/>.</summary>
    public int Prefix { get; init; }
}

/// <summary>
/// What one forward pass computes: tokens of one or more sequences, with positions and block tables. A token sees the slots of its own
/// sequence up to its own, or those of its prefix, and no other sequence's. Reused from step to step; filling it allocates nothing while
/// the capacities hold.
/// </summary>
public sealed class Batch
{
    private readonly int[] _tokens;
    private readonly int[] _positions;
    private readonly int[] _outputs;
    private readonly SequenceRun[] _runs;
    private int[] _table = new int[64];
    private int _tableLength;

    /// <param name="maxTokens">Most tokens in one pass.</param>
    /// <param name="maxSequences">Most sequences in one pass.</param>
    public Batch(int maxTokens, int maxSequences = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSequences, 1);
        _tokens = new int[maxTokens];
        _positions = new int[maxTokens];
        _outputs = new int[maxTokens];
        _runs = new SequenceRun[maxSequences];
    }

    /// <summary>Most tokens in one pass.</summary>
    public int Capacity => _tokens.Length;

    /// <summary>Number of tokens.</summary>
    public int TokenCount { get; private set; }

    /// <summary>Number of rows whose logits are wanted.</summary>
    public int OutputCount { get; private set; }

    /// <summary>Token ids, one a row.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, TokenCount);

    /// <summary>Positions for the positional encoding, one a row.</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, TokenCount);

    /// <summary>Rows whose logits are wanted, ascending.</summary>
    public ReadOnlySpan<int> Outputs => _outputs.AsSpan(0, OutputCount);

    /// <summary>The sequences, in the order of their rows.</summary>
    public ReadOnlySpan<SequenceRun> Runs => _runs.AsSpan(0, RunCount);

    /// <summary>The block tables of all sequences, one after the other: page numbers in the cache.</summary>
    public ReadOnlySpan<int> BlockTables => _table.AsSpan(0, _tableLength);

    /// <summary>Number of sequences.</summary>
    public int RunCount { get; private set; }

    /// <summary>Takes everything out.</summary>
    public void Clear() => (TokenCount, OutputCount, RunCount, _tableLength) = (0, 0, 0, 0);

    /// <summary>Adds tokens of a sequence.</summary>
    /// <param name="tokens">Token ids; at least one.</param>
    /// <param name="firstSlot">Tokens that the sequence has in the cache already; positions go on from there.</param>
    /// <param name="blockTable">Pages of the sequence, enough for <paramref name="firstSlot"/> + the number of tokens.</param>
    /// <param name="outputs">Of which tokens logits, or vectors, are wanted.</param>
    /// <param name="prefix">Slots at the beginning of the sequence that hold a text which is read as a whole, 0 without.</param>
    /// <exception cref="InvalidOperationException">The batch is full.</exception>
    public void Add(ReadOnlySpan<int> tokens, int firstSlot, ReadOnlySpan<int> blockTable, BatchOutputs outputs = BatchOutputs.Last, int prefix = 0)
    {
        ArgumentOutOfRangeException.ThrowIfZero(tokens.Length, nameof(tokens));
        ArgumentOutOfRangeException.ThrowIfNegative(firstSlot);
        ArgumentOutOfRangeException.ThrowIfNegative(prefix);
        if (TokenCount + tokens.Length > Capacity) throw new InvalidOperationException($"a batch of {Capacity} tokens cannot take {TokenCount + tokens.Length}");
        if (RunCount == _runs.Length) throw new InvalidOperationException($"a batch of {_runs.Length} sequences cannot take one more");
        if (_tableLength + blockTable.Length > _table.Length)
            Array.Resize(ref _table, Math.Max(2 * _table.Length, _tableLength + blockTable.Length));

        _runs[RunCount++] = new SequenceRun(TokenCount, tokens.Length, firstSlot, _tableLength, blockTable.Length) { Prefix = prefix };
        blockTable.CopyTo(_table.AsSpan(_tableLength));
        _tableLength += blockTable.Length;
        tokens.CopyTo(_tokens.AsSpan(TokenCount));
        for (int i = 0; i < tokens.Length; i++)
        {
            _positions[TokenCount + i] = firstSlot + i;
            if (outputs == BatchOutputs.All || (outputs == BatchOutputs.Last && i == tokens.Length - 1) || (outputs == BatchOutputs.First && i == 0)) _outputs[OutputCount++] = TokenCount + i;
        }

        TokenCount += tokens.Length;
    }
}

/// <summary>Which logits, or vectors, of a sequence's tokens a pass computes.</summary>
public enum BatchOutputs
{
    /// <summary>None: the tokens only fill the cache.</summary>
    None,

    /// <summary>Those of the last token.</summary>
    Last,

    /// <summary>Those of every token.</summary>
    All,

    /// <summary>Those of the first token.</summary>
    First,
}
