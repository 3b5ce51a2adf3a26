namespace Quern.Kernels.Cpu.Attention;

/// <summary>A batch's sequences and block tables as addresses, for jobs. Valid while the batch is fixed.</summary>
internal readonly unsafe struct BatchView(SequenceRun* runs, int runCount, int* tables)
{
    private readonly SequenceRun* _runs = runs;
    private readonly int* _tables = tables;

    /// <summary>Number of sequences.</summary>
    public int RunCount { get; } = runCount;

    /// <summary>A sequence.</summary>
    public SequenceRun Run(int index) => _runs[index];

    /// <summary>Page number of a sequence's <paramref name="index"/>th page.</summary>
    public int Page(in SequenceRun run, int index) => _tables[run.TableStart + index];

    /// <summary>Page and place in it where the token of a row is stored.</summary>
    public (int Page, int Offset) Place(int row)
    {
        int i = 0;
        while (row >= _runs[i].FirstRow + _runs[i].Count) i++;
        int slot = _runs[i].FirstSlot + row - _runs[i].FirstRow;
        return (Page(in _runs[i], slot / KvLayout.PageTokens), slot % KvLayout.PageTokens);
    }
}
