using System.Numerics;

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

    /// <summary>The slot from which on the run's tokens see only what <see cref="Batch.Seen"/> says; <see cref="NoTree"/> where each sees all that come before it.</summary>
    public int TreeSlot { get; init; } = NoTree;

    /// <summary>No slot.</summary>
    public const int NoTree = int.MaxValue;
}

/// <summary>
/// What one forward pass computes: tokens of one or more sequences, with positions and block tables. A token sees the slots of its own
/// sequence up to its own, or those of its prefix, and no other sequence's; in a tree, its ancestors among them. Reused from step to step; filling it allocates nothing while
/// the capacities hold.
/// </summary>
public sealed class Batch
{
    private readonly int[] _tokens;
    private readonly int[] _positions;
    private readonly ulong[] _seen;
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
        _seen = new ulong[maxTokens];
        _outputs = new int[maxTokens];
        _runs = new SequenceRun[maxSequences];
    }

    /// <summary>The most tokens of a tree.</summary>
    public const int TreeTokens = 64;

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

    /// <summary>For rows of trees, which slots a token sees from <see cref="SequenceRun.TreeSlot"/> on: bit j stands for the j-th of them. Undefined for others.</summary>
    public ReadOnlySpan<ulong> Seen => _seen.AsSpan(0, TokenCount);

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
        ArgumentOutOfRangeException.ThrowIfNegative(prefix);
        Add(tokens, new SequenceRun(TokenCount, tokens.Length, firstSlot, _tableLength, blockTable.Length) { Prefix = prefix }, blockTable, outputs);
        for (int i = 0; i < tokens.Length; i++) _positions[TokenCount - tokens.Length + i] = firstSlot + i;
    }

    /// <summary>
    /// Adds tokens of a tree that goes on from a sequence: each sees the slots before the tree, and those of the tree that its mask names, which are its ancestors and itself. So several continuations
    /// are computed at once. A token's position is what it would be if its ancestors alone were there. What is kept of the tree has to be moved together then (<see cref="KvCache.Move"/>).
    /// Source: Miao et al. 2023, arXiv 2305.09781, section 4.2 (topology-aware causal mask).
    /// </summary>
    /// <param name="tokens">Token ids; at least one.</param>
    /// <param name="seen">A mask for each token: bit j is the j-th slot from <paramref name="treeSlot"/> on. Its own bit is set, and none behind it.</param>
    /// <param name="treeSlot">Where the tree begins: the number of tokens that the sequence has in the cache without it.</param>
    /// <param name="firstSlot">Where these tokens begin: tokens of the tree before them are in the cache already. At most <see cref="TreeTokens"/> in all.</param>
    /// <param name="blockTable">Pages of the sequence, enough for <paramref name="firstSlot"/> + the number of tokens.</param>
    /// <param name="outputs">Of which tokens logits are wanted.</param>
    /// <exception cref="InvalidOperationException">The batch is full.</exception>
    /// <exception cref="ArgumentException">A mask lacks its own bit or has one behind it, or the tree is too large.</exception>
    public void AddTree(ReadOnlySpan<int> tokens, ReadOnlySpan<ulong> seen, int treeSlot, int firstSlot, ReadOnlySpan<int> blockTable, BatchOutputs outputs = BatchOutputs.All)
    {
        ArgumentOutOfRangeException.ThrowIfZero(tokens.Length, nameof(tokens));
        ArgumentOutOfRangeException.ThrowIfNegative(treeSlot);
        ArgumentOutOfRangeException.ThrowIfLessThan(firstSlot, treeSlot);
        if (seen.Length != tokens.Length) throw new ArgumentException($"{tokens.Length} tokens come with {seen.Length} masks; expected one each", nameof(seen));
        if (firstSlot - treeSlot + tokens.Length > TreeTokens) throw new ArgumentException($"a tree of {firstSlot - treeSlot + tokens.Length} tokens; expected at most {TreeTokens}", nameof(tokens));
        for (int i = 0; i < seen.Length; i++)
            if (seen[i] >> (firstSlot - treeSlot + i) != 1) throw new ArgumentException($"the mask of token {i} is 0x{seen[i]:x}; expected bit {firstSlot - treeSlot + i}, its own, and none behind it", nameof(seen));
        Add(tokens, new SequenceRun(TokenCount, tokens.Length, firstSlot, _tableLength, blockTable.Length) { TreeSlot = treeSlot }, blockTable, outputs);
        for (int i = 0; i < tokens.Length; i++)
        {
            _seen[TokenCount - tokens.Length + i] = seen[i];
            _positions[TokenCount - tokens.Length + i] = treeSlot + BitOperations.PopCount(seen[i]) - 1;
        }
    }

    /// <summary>For operations with a state, which has one past.</summary>
    /// <exception cref="NotSupportedException">Tokens of a tree are in the batch.</exception>
    public void CheckHasNoTree()
    {
        foreach (SequenceRun run in Runs)
            if (run.TreeSlot != SequenceRun.NoTree) throw new NotSupportedException($"{run.Count} tokens of a tree are in the batch of a recurrent model; expected tokens that follow each other");
    }

    private void Add(ReadOnlySpan<int> tokens, in SequenceRun run, ReadOnlySpan<int> blockTable, BatchOutputs outputs)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(run.FirstSlot, "firstSlot");
        if (TokenCount + tokens.Length > Capacity) throw new InvalidOperationException($"a batch of {Capacity} tokens cannot take {TokenCount + tokens.Length}");
        if (RunCount == _runs.Length) throw new InvalidOperationException($"a batch of {_runs.Length} sequences cannot take one more");
        if (_tableLength + blockTable.Length > _table.Length)
            Array.Resize(ref _table, Math.Max(2 * _table.Length, _tableLength + blockTable.Length));

        _runs[RunCount++] = run;
        blockTable.CopyTo(_table.AsSpan(_tableLength));
        _tableLength += blockTable.Length;
        tokens.CopyTo(_tokens.AsSpan(TokenCount));
        for (int i = 0; i < tokens.Length; i++)
            if (outputs == BatchOutputs.All || (outputs == BatchOutputs.Last && i == tokens.Length - 1) || (outputs == BatchOutputs.First && i == 0)) _outputs[OutputCount++] = TokenCount + i;

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
