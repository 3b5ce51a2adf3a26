using Quern.Kernels.Cpu.Attention;

namespace Quern.Kernels.Cpu.Recurrent;

/// <summary>An operation that goes through the tokens of a sequence in their order, with a state whose parts know nothing of each other.</summary>
internal unsafe interface IStateKernel
{
    /// <summary>Number of parts.</summary>
    int Parts { get; }

    /// <summary>The values of a part in the operation's state.</summary>
    (int First, int Length) Part(int part);

    /// <summary>Computes a part of consecutive tokens.</summary>
    /// <param name="part">Which part.</param>
    /// <param name="state">What it was before the first of them, and is behind the last of them.</param>
    /// <param name="row">Row of the first token.</param>
    /// <param name="count">Number of tokens.</param>
    void Run(int part, float* state, int row, int count);
}

/// <summary>
/// Runs a kernel over a batch's sequences, part by part. The state lies in the page of the token that comes next: there it is taken over from the page before, or begins with zeros, and changes in place
/// up to the page's end. So every full page keeps the state behind its last token.
/// </summary>
internal readonly unsafe struct StateLoop<TKernel>(TKernel kernel, BatchView batch, LayerPages pages, int first) : ITeamJob
    where TKernel : unmanaged, IStateKernel
{
    private readonly TKernel _kernel = kernel;
    private readonly BatchView _batch = batch;
    private readonly LayerPages _pages = pages;
    private readonly int _first = first;

    /// <summary>Runs over all sequences.</summary>
    public static void Run(ThreadTeam team, TKernel kernel, Batch batch, LayerState state, KvCache cache)
    {
        batch.CheckHasNoTree();
        fixed (SequenceRun* runs = batch.Runs)
        fixed (int* tables = batch.BlockTables)
        {
            StateLoop<TKernel> loop = new(kernel, new BatchView(runs, batch.RunCount, tables, null), ((PagedKv)cache).Layer(state.Layer), state.First);
            team.Run(loop, batch.RunCount * kernel.Parts, Math.Max(1, kernel.Parts / (4 * team.Threads)));
        }
    }

    /// <summary>Items are parts of sequences.</summary>
    public void Run(int from, int to, int worker)
    {
        for (int item = from; item < to; item++)
        {
            SequenceRun run = _batch.Run(item / _kernel.Parts);
            int part = item % _kernel.Parts;
            for (int done = 0; done < run.Count;)
            {
                int slot = run.FirstSlot + done, count = Math.Min(run.Count - done, KvLayout.PageTokens - (slot % KvLayout.PageTokens));
                _kernel.Run(part, Enter(run, slot, part), run.FirstRow + done, count);
                done += count;
            }
        }
    }

    private float* Enter(in SequenceRun run, int slot, int part)
    {
        (int first, int length) = _kernel.Part(part);
        int page = slot / KvLayout.PageTokens;
        Span<float> state = State(run, page, first, length);
        if (slot == 0) state.Clear();
        else if (slot % KvLayout.PageTokens == 0) State(run, page - 1, first, length).CopyTo(state);
        return _pages.State(_batch.Page(run, page)) + _first + first;
    }

    private Span<float> State(in SequenceRun run, int page, int first, int length) => new(_pages.State(_batch.Page(run, page)) + _first + first, length);
}
