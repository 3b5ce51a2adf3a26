using System.Diagnostics;
using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>
/// Proposes what a small model says, for all sequences of a step together: a pass over what each has got since, then a pass for each further token. Tokens are drawn from the small model's logits
/// through the sequence's own sampler chain, so that both models' distributions are alike; trees are of the likeliest tokens (<see cref="DraftTree"/>).
/// </summary>
internal sealed class ModelDrafter : IDrafter
{
    private const int TokensToLearn = 16;

    private readonly QuernModel _draft;
    private readonly Batch _batch;
    private readonly OutputLogits _logits;
    private readonly SamplingWorkspace _workspace;
    private readonly Dictionary<EngineSequence, Draft> _drafts = [];
    private readonly Stack<SequencePages> _pages = [];
    private readonly List<EngineSequence> _going = [];
    private readonly int _branches;
    private readonly double[] _seconds = new double[2]; // of chains, of trees
    private double _secondsToRead; // a token of a text
    // Not the target's random numbers: what it tests with must not be what was drawn with.
    private Xoshiro256 _random = new(0x9E3779B97F4A7C15);

    /// <param name="draft">The small model.</param>
    /// <param name="maxSequences">The most sequences of a step.</param>
    /// <param name="branches">The most branches of a tree.</param>
    public ModelDrafter(QuernModel draft, int maxSequences, int branches)
    {
        (_draft, _branches) = (draft, branches);
        _batch = new Batch(Math.Max(draft.Options.BatchTokens, maxSequences * branches), maxSequences);
        _logits = new OutputLogits(draft, maxSequences * branches);
        _workspace = new SamplingWorkspace(draft.VocabularySize);
    }

    public double SecondsPerToken(int branches) => _seconds[branches > 1 ? 1 : 0];

    public double SecondsToRead(EngineSequence sequence) => Unread(sequence) * _secondsToRead;

    public double ReadingSeconds { get; private set; }

    public bool CanPropose(EngineSequence sequence) => sequence.Tokens.Length < _draft.ContextLength;

    public void Propose(List<EngineSequence> sequences)
    {
        _going.Clear();
        long begin = Stopwatch.GetTimestamp();
        int read = 0;
        foreach (EngineSequence sequence in sequences)
        {
            read += Unread(sequence);
            if (sequence.Proposal!.Wanted > 0 && Begin(sequence)) _going.Add(sequence);
        }

        ReadingSeconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        for (int level = 1; _going.Count > 0; level++)
        {
            long start = Stopwatch.GetTimestamp();
            ref double known = ref _seconds[_going[0].Proposal!.Branches > 1 ? 1 : 0];
            _batch.Clear();
            int depth = 0, row = 0;
            foreach (EngineSequence sequence in _going)
            {
                Place(sequence);
                depth = Math.Max(depth, sequence.Chooser.Depth);
            }

            _logits.Forward(_batch, depth);
            PassLogits logits = _logits.Read();
            foreach (EngineSequence sequence in _going)
            {
                if (sequence.Proposal!.Branches == 1) Draw(sequence, logits, row++);
                else Grow(sequence, logits, ref row);
            }

            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (level > 1 || known == 0) known = StepCosts.Learnt(known, seconds);
            else if (read > 0) ReadingSeconds += Math.Max(0, seconds - known);
            for (int i = _going.Count - 1; i >= 0; i--)
            {
                Proposal proposal = _going[i].Proposal!;
                if (level * proposal.Branches < proposal.Wanted) continue;
                if (proposal.Branches > 1) _drafts[_going[i]].Tree.Propose(proposal);
                _going.RemoveAt(i);
            }
        }

        if (read > TokensToLearn) _secondsToRead = StepCosts.Learnt(_secondsToRead, ReadingSeconds / read);
    }

    // Tokens that have to be computed beside those that a step brings anyhow.
    private int Unread(EngineSequence sequence) => _drafts.ContainsKey(sequence) ? 0 : sequence.Tokens.Length - 1;

    public void Keep(EngineSequence sequence, int tokens)
    {
        if (!_drafts.TryGetValue(sequence, out Draft? draft)) return;
        // Tokens of a tree do not lie as those of a text do.
        draft.Agreed = Math.Min(tokens, draft.TreeSlot);
        if (tokens > 0) return;
        draft.Pages.TryResize(0);
        _pages.Push(draft.Pages);
        _drafts.Remove(sequence);
    }

    public void Dispose()
    {
        foreach (Draft draft in _drafts.Values) draft.Pages.TryResize(0);
        _logits.Dispose();
    }

    // Room for the text and the proposal, the sampler at the end of the text, and all but the last pass over a long text.
    private bool Begin(EngineSequence sequence)
    {
        ReadOnlySpan<int> tokens = sequence.Tokens;
        sequence.Proposal!.Wanted = Math.Min(sequence.Proposal.Wanted, _draft.ContextLength - tokens.Length);
        if (!_drafts.TryGetValue(sequence, out Draft? draft))
        {
            draft = new Draft(_pages.TryPop(out SequencePages? used) ? used : new SequencePages(_draft.Pages, _draft.ContextLength), sequence.Chooser.CloneSampler(_workspace), _branches);
            _drafts.Add(sequence, draft);
        }

        // A proposal that was never checked leaves nothing that counts.
        draft.Computed = _draft.Kept(Math.Min(draft.Computed, draft.Agreed), draft.Computed);
        (draft.Agreed, draft.TreeSlot) = (tokens.Length, sequence.Proposal.Branches > 1 ? tokens.Length : int.MaxValue);
        draft.Tree.Clear();
        if (!_draft.TryPrepare(draft.Pages, draft.Computed, tokens.Length + sequence.Proposal.Wanted - draft.Computed))
        {
            Keep(sequence, 0);
            return false;
        }

        if (sequence.Proposal.Branches == 1) sequence.Chooser.CopySamplerTo(draft.Sampler);
        // As many as find room beside all others' in one pass.
        int most = Math.Max(1, _batch.Capacity / (_logits.Rows / _branches));
        while (tokens.Length - draft.Computed > most)
        {
            int count = Math.Min(_batch.Capacity, tokens.Length - draft.Computed - 1);
            _batch.Clear();
            _batch.Add(tokens.Slice(draft.Computed, count), draft.Computed, draft.Pages.Table, BatchOutputs.None);
            _draft.Forward(_batch, default);
            draft.Computed += count;
        }

        return true;
    }

    private void Place(EngineSequence sequence)
    {
        Draft draft = _drafts[sequence];
        Proposal proposal = sequence.Proposal!;
        if (draft.Computed >= draft.TreeSlot)
        {
            Span<int> tokens = stackalloc int[proposal.Branches];
            Span<ulong> seen = stackalloc ulong[proposal.Branches];
            int count = draft.Tree.Look(tokens, seen);
            _batch.AddTree(tokens[..count], seen[..count], draft.TreeSlot, draft.Computed, draft.Pages.Table);
            draft.Computed += count;
            return;
        }

        ReadOnlySpan<int> next = proposal.Count == 0 ? sequence.Tokens[draft.Computed..] : proposal.Tokens[^1..];
        _batch.Add(next, draft.Computed, draft.Pages.Table);
        draft.Computed += next.Length;
    }

    // What comes behind the nodes that were placed, or behind the text.
    private void Grow(EngineSequence sequence, PassLogits rows, ref int row)
    {
        Draft draft = _drafts[sequence];
        Span<TokenLogProbability> likely = stackalloc TokenLogProbability[sequence.Proposal!.Branches];
        int end = draft.Computed - draft.TreeSlot;
        for (int node = end == 0 ? -1 : draft.Grown; node < end; node++)
        {
            Span<float> logits = rows.All(row++);
            sequence.Chooser.Exclude(logits);
            draft.Tree.Grow(node, likely[..LogProbabilities.Top(logits, likely)]);
            if (node < 0) break;
        }

        draft.Grown = end;
    }

    private void Draw(EngineSequence sequence, PassLogits logits, int row)
    {
        SamplerChain sampler = _drafts[sequence].Sampler;
        ReadOnlySpan<Candidate> distribution = sequence.Chooser.Distribution(sampler, logits, row);
        int token = distribution[Candidate.Draw(distribution, _random.NextDouble())].Token;
        sequence.Proposal!.Add(token, distribution);
        sampler.Accept(token);
    }

    private sealed class Draft(SequencePages pages, SamplerChain sampler, int branches)
    {
        public DraftTree Tree { get; } = new(branches * (Batch.TreeTokens + 1));

        public SequencePages Pages { get; } = pages;

        public SamplerChain Sampler { get; } = sampler;

        /// <summary>Tokens in the cache.</summary>
        public int Computed { get; set; }

        /// <summary>How many of them, from the beginning, are the text's.</summary>
        public int Agreed { get; set; }

        /// <summary>Where the tree begins that is being drafted: behind the text. No slot where a chain is.</summary>
        public int TreeSlot { get; set; }

        /// <summary>Nodes of it behind which the model was asked.</summary>
        public int Grown { get; set; }
    }
}
