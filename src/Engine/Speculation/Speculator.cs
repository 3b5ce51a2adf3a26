using System.Diagnostics;

namespace Quern.Engine;

/// <summary>Speculation in an engine's steps: decides how much to propose, has it proposed, and learns from what became of it.</summary>
internal sealed class Speculator : IDisposable
{
    private readonly SpeculationOptions _options;
    private readonly IDrafter _drafter;
    private readonly StepCosts _costs;
    private readonly List<EngineSequence> _sequences = [];
    private readonly List<Proposal> _proposals = [];
    private readonly int[] _most;
    private readonly SpeculationBudget _budget = new();
    private readonly int _branches;
    private readonly int _mostTokens;
    private int _plain;
    private int _sincePlain;
    private double _drafting;
    private double _withSeconds;
    private double _withoutSeconds;
    private double _chains = AcceptanceRate.First;
    private double _trees = AcceptanceRate.FirstOfTrees;

    /// <param name="options">How.</param>
    /// <param name="drafter">Who proposes.</param>
    /// <param name="maxSequences">The most sequences of a step.</param>
    /// <param name="takesTrees">Whether the models take trees.</param>
    public Speculator(SpeculationOptions options, IDrafter drafter, int maxSequences, bool takesTrees = true)
    {
        (_options, _drafter, _branches) = (options, drafter, takesTrees ? options.Branches : 1);
        _mostTokens = Math.Min(options.MaxTokens * _branches, Proposal.MostTokens);
        Rows = Math.Max(_mostTokens, RowsOfAll);
        _costs = new StepCosts(maxSequences + Rows);
        _most = new int[maxSequences];
    }

    // What a text brings is looked at so many tokens ahead: few are longer.
    private const int RowsOfAll = 48, StepsBetweenPlain = 64, TokensAhead = 128;
    private const double Memory = 0.98;

    /// <summary>The most proposed tokens of a step.</summary>
    public int Rows { get; }

    /// <summary>Room for a sequence's proposals, which are expected to be right as often as those of the others were. From any thread.</summary>
    public Proposal CreateProposal() => new(_mostTokens) { Chains = new AcceptanceRate(Volatile.Read(ref _chains)), Trees = new AcceptanceRate(Volatile.Read(ref _trees)) };

    /// <summary>Tokens proposed.</summary>
    public long Proposed { get; private set; }

    /// <summary>Those of them that were right.</summary>
    public long Accepted { get; private set; }

    /// <summary>How often tokens were proposed for a sequence.</summary>
    public long Proposals { get; private set; }

    /// <summary>Time that the tokens of all steps would have taken without proposals, by that time; 0 before anything was proposed and compared.</summary>
    public double SpeedUp => _withoutSeconds > 0 ? _withoutSeconds / _withSeconds : 0;

    /// <summary>Fills the proposals of those sequences that are about to get their next token.</summary>
    public void Propose(List<EngineSequence> running)
    {
        _sequences.Clear();
        _proposals.Clear();
        int others = 0;
        foreach (EngineSequence sequence in running)
        {
            sequence.Proposal?.Clear();
            if (sequence.Pending != 1) continue;
            int most = Math.Min(Math.Min(_options.MaxTokens, Proposal.MostTokens / _branches), sequence.MostProposed / _branches);
            if (sequence.Proposal is not { } proposal || most <= 0 || sequence.Siblings.Length > 0 || !_drafter.CanPropose(sequence))
            {
                others++;
                continue;
            }

            _most[_proposals.Count] = most;
            _sequences.Add(sequence);
            _proposals.Add(proposal);
        }

        _plain = others + _sequences.Count;
        if (_sequences.Count == 0) return;
        // Nothing pays until it is known what a token costs without, and that is measured again and again.
        if (_options.Adaptive && !(_sincePlain < StepsBetweenPlain && _costs.Knows(_plain) && _budget.Allows(_costs[_plain] / _plain)))
        {
            _sequences.Clear();
            return;
        }

        if (_options.Adaptive)
        {
            double speedUp = DraftLengths.Choose(_proposals, _most.AsSpan(0, _proposals.Count), others, Rows, _costs, _drafter.SecondsPerToken(1), _branches, _drafter.SecondsPerToken(_branches));
            // A text is read where what is expected to be won on its next tokens is more than that costs.
            double won = (1 - (1 / speedUp)) * _costs[_plain] / _plain;
            foreach (EngineSequence sequence in _sequences)
                if (_drafter.SecondsToRead(sequence) > won * Math.Min(TokensAhead, sequence.MostProposed + 1)) sequence.Proposal!.Wanted = 0;
        }
        else
        {
            Fill();
        }

        for (int i = _sequences.Count - 1; i >= 0; i--)
        {
            // What is not tried is worth another try in time.
            if (_proposals[i].Wanted == 0 || _proposals[i].Branches > 1) _proposals[i].Chains.Forget();
            if (_proposals[i].Wanted == 0 || _proposals[i].Branches == 1) _proposals[i].Trees.Forget();
            if (_proposals[i].Wanted == 0) _sequences.RemoveAt(i);
        }

        if (_sequences.Count == 0) return;
        long start = Stopwatch.GetTimestamp();
        _drafter.Propose(_sequences);
        _drafting = Stopwatch.GetElapsedTime(start).TotalSeconds - _drafter.ReadingSeconds;
    }

    /// <summary>What became of a proposal.</summary>
    public void Learn(EngineSequence sequence, int before)
    {
        Proposal proposal = sequence.Proposal!;
        Proposals++;
        Proposed += proposal.Count;
        Accepted += proposal.Kept.Length;
        proposal.Learn();
        ref double shared = ref proposal.Branches > 1 ? ref _trees : ref _chains;
        Volatile.Write(ref shared, (Memory * shared) + ((1 - Memory) * proposal.Rate.Value));
        _drafter.Keep(sequence, before + proposal.Kept.Length);
    }

    /// <summary>A step without prompts was made.</summary>
    /// <param name="tokens">Tokens computed.</param>
    /// <param name="ticks">Time of the pass.</param>
    /// <param name="chosen">Tokens that came out.</param>
    public void Learn(int tokens, long ticks, int chosen)
    {
        double seconds = (double)ticks / Stopwatch.Frequency;
        _costs.Learn(tokens, seconds);
        _sincePlain = _sequences.Count == 0 ? 0 : _sincePlain + 1;
        if (_sequences.Count == 0) _budget.Passed(seconds);
        else if (_costs.Knows(_plain)) Tried(seconds + _drafting, _drafter.ReadingSeconds, chosen);
        if (_sequences.Count > 0 || _withoutSeconds == 0) return;
        _withSeconds += seconds;
        _withoutSeconds += seconds;
    }

    private void Tried(double seconds, double readingSeconds, int chosen)
    {
        double plain = _costs[_plain] / _plain;
        _budget.Tried(seconds, chosen, plain);
        _withSeconds += seconds + readingSeconds;
        _withoutSeconds += chosen * plain;
    }

    /// <summary>A step with prompts was made.</summary>
    /// <param name="ticks">Time of the pass.</param>
    public void Passed(long ticks) => _budget.Passed((double)ticks / Stopwatch.Frequency);

    /// <summary>A step was made in which tokens were computed again because of what had been proposed behind them.</summary>
    /// <param name="ticks">Time of the pass.</param>
    /// <param name="chosen">Tokens that came out.</param>
    public void Recomputed(long ticks, int chosen)
    {
        if (_plain > 0 && _costs.Knows(_plain)) Tried((double)ticks / Stopwatch.Frequency, 0, chosen);
    }

    /// <summary>A sequence has ended, or is another one now.</summary>
    public void Forget(EngineSequence sequence) => _drafter.Keep(sequence, 0);

    public void Dispose() => _drafter.Dispose();

    private void Fill()
    {
        int left = Rows;
        for (int i = 0; i < _proposals.Count; i++)
        {
            _proposals[i].Branches = _branches;
            left -= _proposals[i].Wanted = Math.Min(_most[i], left / _branches) * _branches;
        }
    }
}
