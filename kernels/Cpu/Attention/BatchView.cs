using System.Numerics;

namespace Quern.Kernels.Cpu.Attention;

/// <summary>A batch's sequences, block tables and masks as addresses, for jobs. Valid while the batch is fixed.</summary>
internal readonly unsafe struct BatchView(SequenceRun* runs, int runCount, int* tables, ulong* seen)
{
    private readonly SequenceRun* _runs = runs;
    private readonly int* _tables = tables;
    private readonly ulong* _seen = seen;

    /// <summary>Number of sequences.</summary>
    public int RunCount { get; } = runCount;

    /// <summary>A sequence.</summary>
    public SequenceRun Run(int index) => _runs[index];

    /// <summary>Page number of a sequence's <paramref name="index"/>th page.</summary>
    public int Page(in SequenceRun run, int index) => _tables[run.TableStart + index];

    /// <summary>What a token of a sequence sees of its tree.</summary>
    public ulong Seen(in SequenceRun run, int token) => _seen[run.FirstRow + token];

    /// <summary>Where a token stands in the text: its slot, or in a tree what that would be if its ancestors alone were there.</summary>
    public int Position(in SequenceRun run, int token) =>
        run.TreeSlot == SequenceRun.NoTree ? run.FirstSlot + token : run.TreeSlot + BitOperations.PopCount(Seen(in run, token)) - 1;

    /// <summary>Page and place in it where the token of a row is stored.</summary>
    public (int Page, int Offset) Place(int row)
    {
        int i = 0;
        while (row >= _runs[i].FirstRow + _runs[i].Count) i++;
        int slot = _runs[i].FirstSlot + row - _runs[i].FirstRow;
        return (Page(in _runs[i], slot / KvLayout.PageTokens), slot % KvLayout.PageTokens);
    }
}
