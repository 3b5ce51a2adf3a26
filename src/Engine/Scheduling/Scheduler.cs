using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>
/// Decides what a step computes: the next token of every sequence that runs, then parts of prompts, as far as the step's tokens and the cache's pages go. Sequences begin in the order of their
/// priority and arrival, and none overtakes one that lacks pages. Where pages are short, the last in
/// that order gives all of its up and begins again later.
/// Source: Yu et al. 2022, Orca, OSDI '22 (batches by iteration); Kwon et al. 2023, arXiv 2309.06180 (preemption by recomputing); Agrawal et al. 2023, arXiv 2308.16369 (prompts in chunks beside tokens).
/// </summary>
internal sealed class Scheduler
{
    private readonly QuernModel _model;
    private readonly EngineOptions _options;
    private readonly Speculator? _speculator;
    private readonly List<EngineSequence> _waiting = [];
    private readonly List<EngineSequence> _running;

    /// <param name="model">The model.</param>
    /// <param name="options">How it is shared.</param>
    /// <param name="speculator">Who proposes tokens; null if nobody does.</param>
    public Scheduler(QuernModel model, EngineOptions options, Speculator? speculator = null)
    {
        (_model, _options, _speculator) = (model, options, speculator);
        Batch = new Batch(Math.Max(model.Options.BatchTokens, options.MaxSequences + (speculator?.Rows ?? 0)), options.MaxSequences);
        _running = new List<EngineSequence>(options.MaxSequences);
        Step = new List<EngineSequence>(options.MaxSequences);
    }

    /// <summary>What the step computes.</summary>
    public Batch Batch { get; }

    /// <summary>The sequences of the batch, in its order.</summary>
    public List<EngineSequence> Step { get; }

    /// <summary>Sequences that wait.</summary>
    public int WaitingCount => _waiting.Count;

    /// <summary>Sequences that have begun.</summary>
    public int RunningCount => _running.Count;

    /// <summary>How often a sequence lost its pages.</summary>
    public long Preemptions { get; private set; }

    /// <summary>Tokens of sequences that began, or began again.</summary>
    public long BegunTokens { get; private set; }

    /// <summary>Those of them that were found in the cache.</summary>
    public long CachedTokens { get; private set; }

    /// <summary>Lets a sequence wait.</summary>
    public void Add(EngineSequence sequence) => Insert(_waiting, sequence);

    /// <summary>A sequence that was forked from one that runs runs too.</summary>
    public void Join(EngineSequence sequence) => Insert(_running, sequence);

    /// <summary>A sequence whose context is full begins again with fewer tokens, or ends.</summary>
    public void Overfull(EngineSequence sequence)
    {
        if (!sequence.TryShift())
        {
            sequence.End(FinishReason.Context);
            return;
        }

        _running.Remove(sequence);
        Add(sequence);
    }

    /// <summary>Ends what was stopped, and forgets what has ended.</summary>
    public void Sweep()
    {
        Sweep(_waiting, _speculator);
        Sweep(_running, _speculator);
    }

    /// <summary>Ends everything.</summary>
    public void EndAll(FinishReason reason)
    {
        foreach (EngineSequence sequence in _waiting.Concat(_running)) sequence.End(reason);
        Sweep();
    }

    /// <summary>The same after an error.</summary>
    public void FailAll(Exception error)
    {
        foreach (EngineSequence sequence in _waiting.Concat(_running)) sequence.Fail(error);
        Sweep();
    }

    /// <summary>Fills <see cref="Batch"/> and <see cref="Step"/>; they stay empty where there is nothing to compute.</summary>
    public void Schedule()
    {
        Batch.Clear();
        Step.Clear();
        long before = Preemptions;
        _speculator?.Propose(_running);
        for (int i = 0; i < _running.Count; i++)
            if (_running[i].Pending == 1 && TryGrow(i)) Place(_running[i], 1);
        int prompts = Step.Count == 0 ? Batch.Capacity : Math.Min(_options.PromptTokensBesideOthers, Batch.Capacity - Batch.TokenCount);
        for (int i = 0; i < _running.Count && prompts > 0; i++)
            if (_running[i].Pending > 1) prompts -= Place(_running[i], prompts);
        // Pages that were just taken from one are not given to another.
        while (prompts > 0 && Preemptions == before && _waiting.Count > 0 && _waiting[0] is var next && TryBegin(next)) prompts -= Place(next, prompts);
    }

    private static bool Before(EngineSequence a, EngineSequence b) => (a.Priority, a.Arrival).CompareTo((b.Priority, b.Arrival)) < 0;

    private static void Insert(List<EngineSequence> sequences, EngineSequence sequence)
    {
        int place = sequences.Count;
        while (place > 0 && Before(sequence, sequences[place - 1])) place--;
        sequences.Insert(place, sequence);
    }

    private static void Sweep(List<EngineSequence> sequences, Speculator? speculator)
    {
        for (int i = sequences.Count - 1; i >= 0; i--)
        {
            // A prompt is computed as long as anybody wants it.
            if (sequences[i].StopRequested && Array.TrueForAll(sequences[i].Siblings, sibling => sibling.StopRequested)) sequences[i].EndAsRequested();
            if (!sequences[i].Output.Ended) continue;
            speculator?.Forget(sequences[i]);
            sequences.RemoveAt(i);
        }
    }

    private int Slots()
    {
        int slots = 0;
        foreach (EngineSequence sequence in _running) slots += 1 + sequence.Siblings.Length;
        return slots;
    }

    private int Place(EngineSequence sequence, int most)
    {
        int count = Math.Min(sequence.Pending, most);
        ReadOnlySpan<int> tokens = sequence.Next(count);
        sequence.Scheduled = count;
        if (tokens.Length > count && sequence.Proposal is { IsChain: false } tree) Batch.AddTree(tokens, tree.Seen, sequence.Computed, sequence.Computed, sequence.Pages.Table);
        else Batch.Add(tokens, sequence.Computed, sequence.Pages.Table, tokens.Length > count ? BatchOutputs.All : count == sequence.Pending ? BatchOutputs.Last : BatchOutputs.None);
        Step.Add(sequence);
        return count;
    }

    private bool TryBegin(EngineSequence sequence)
    {
        if (Slots() + 1 + sequence.Siblings.Length > _options.MaxSequences) return false;
        if (sequence.Pages.TryBegin(sequence.Tokens, out int known))
        {
            _waiting.RemoveAt(0);
            Insert(_running, sequence);
            BegunTokens += sequence.Tokens.Length;
            CachedTokens += known;
            sequence.Begin(known);
            return true;
        }

        // Nobody here will give pages back: sessions hold them.
        if (_running.Count == 0)
        {
            _waiting.RemoveAt(0);
            sequence.Fail(_model.CacheFull(sequence.Tokens.Length));
        }

        return false;
    }

    // Room for one more token of a sequence, if need be from those that come after it. What is proposed takes nobody's pages.
    private bool TryGrow(int index)
    {
        EngineSequence sequence = _running[index];
        if (sequence.Proposal is { Count: > 0 } proposal && _model.TryPrepare(sequence.Pages, sequence.Computed, 1 + proposal.Count)) return true;
        sequence.Proposal?.Clear();
        while (!_model.TryPrepare(sequence.Pages, sequence.Computed, 1))
        {
            if (_running.Count == 1)
            {
                sequence.End(FinishReason.Context);
                return false;
            }

            EngineSequence last = _running[^1];
            _running.RemoveAt(_running.Count - 1);
            last.LosePages();
            Preemptions++;
            Add(last);
            if (last == sequence) return false;
        }

        return true;
    }
}
