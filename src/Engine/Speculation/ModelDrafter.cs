using System.Diagnostics;
using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>
/// Proposes what a small model says, for all sequences of a step together: a pass over what each has got since, then a pass for each further token. Tokens are drawn from the small model's logits
/// through the sequence's own sampler chain, so that both models' distributions are alike.
/// </summary>
internal sealed class ModelDrafter : IDrafter
{
    private readonly QuernModel _draft;
    private readonly Batch _batch;
    private readonly TensorBuffer _logits;
    private readonly SamplingWorkspace _workspace;
    private readonly Dictionary<EngineSequence, Draft> _drafts = [];
    private readonly Stack<SequencePages> _pages = [];
    private readonly List<EngineSequence> _going = [];
    // Not the target's random numbers: what it tests with must not be what was drawn with.
    private Xoshiro256 _random = new(0x9E3779B97F4A7C15);

    public ModelDrafter(QuernModel draft, int maxSequences)
    {
        _draft = draft;
        _batch = new Batch(Math.Max(draft.Options.BatchTokens, maxSequences), maxSequences);
        _logits = draft.AllocateLogits(maxSequences);
        _workspace = new SamplingWorkspace(draft.VocabularySize);
    }

    public double SecondsPerToken { get; private set; }

    public bool CanPropose(EngineSequence sequence) => sequence.Tokens.Length < _draft.ContextLength;

    public void Propose(List<EngineSequence> sequences)
    {
        _going.Clear();
        foreach (EngineSequence sequence in sequences)
            if (sequence.Proposal!.Wanted > 0 && Begin(sequence)) _going.Add(sequence);
        for (int token = 0; _going.Count > 0; token++)
        {
            long start = Stopwatch.GetTimestamp();
            _batch.Clear();
            foreach (EngineSequence sequence in _going) Place(sequence);
            _draft.Forward(_batch, _logits.Tensor.FirstRows(_going.Count));
            Span<float> logits = _logits.Read(0, _going.Count);
            for (int i = 0; i < _going.Count; i++) Draw(_going[i], logits.Slice(i * _draft.VocabularySize, _draft.VocabularySize));
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (token > 0 || SecondsPerToken == 0) SecondsPerToken = StepCosts.Learnt(SecondsPerToken, seconds);
            for (int i = _going.Count - 1; i >= 0; i--)
                if (_going[i].Proposal!.Count >= _going[i].Proposal!.Wanted) _going.RemoveAt(i);
        }
    }

    public void Keep(EngineSequence sequence, int tokens)
    {
        if (!_drafts.TryGetValue(sequence, out Draft? draft)) return;
        draft.Agreed = tokens;
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
            draft = new Draft(_pages.TryPop(out SequencePages? used) ? used : new SequencePages(_draft.Pages, _draft.ContextLength), sequence.Chooser.CloneSampler(_workspace));
            _drafts.Add(sequence, draft);
        }

        // A proposal that was never checked leaves nothing that counts.
        draft.Computed = _draft.Kept(Math.Min(draft.Computed, draft.Agreed), draft.Computed);
        draft.Agreed = tokens.Length;
        if (!_draft.TryPrepare(draft.Pages, draft.Computed, tokens.Length + sequence.Proposal.Wanted - draft.Computed))
        {
            Keep(sequence, 0);
            return false;
        }

        sequence.Chooser.CopySamplerTo(draft.Sampler);
        // As many as find room beside all others' in one pass.
        int most = Math.Max(1, _batch.Capacity / _logits.Tensor.Rows);
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
        ReadOnlySpan<int> next = proposal.Count == 0 ? sequence.Tokens[draft.Computed..] : proposal.Tokens[^1..];
        _batch.Add(next, draft.Computed, draft.Pages.Table);
        draft.Computed += next.Length;
    }

    private void Draw(EngineSequence sequence, Span<float> logits)
    {
        SamplerChain sampler = _drafts[sequence].Sampler;
        sequence.Chooser.Exclude(logits);
        ReadOnlySpan<Candidate> distribution = sampler.Distribution(logits);
        int token = distribution[Candidate.Draw(distribution, _random.NextDouble())].Token;
        sequence.Proposal!.Add(token, distribution);
        sampler.Accept(token);
    }

    private sealed class Draft(SequencePages pages, SamplerChain sampler)
    {
        public SequencePages Pages { get; } = pages;

        public SamplerChain Sampler { get; } = sampler;

        /// <summary>Tokens in the cache.</summary>
        public int Computed { get; set; }

        /// <summary>How many of them, from the beginning, are the text's.</summary>
        public int Agreed { get; set; }
    }
}
