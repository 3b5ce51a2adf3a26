namespace Quern.Engine;

/// <summary>
/// Proposes what followed the last tokens of a text in texts that the engine finished before, or earlier in the text itself: the longest match wins. Right where requests are alike: agents, edits, answers from the same sources.
/// Finished texts are remembered in two halves: where one is full, the older one is forgotten, so that between half and all of the last tokens are known.
/// Source: Oliaro et al. 2024, arXiv 2411.04975.
/// </summary>
/// <param name="remembered">The most tokens of finished texts that are remembered.</param>
internal sealed class SuffixDrafter(int remembered) : IDrafter
{
    private const int Shortest = 2, Separator = -1;

    // So much of a text is looked for from anew when a half was forgotten.
    private const int Context = 64;

    private readonly Dictionary<EngineSequence, Match> _matches = [];
    private readonly Stack<Match> _unused = [];
    private SuffixAutomaton _newer = new(Math.Max(1, remembered / 2));
    private SuffixAutomaton _older = new(Math.Max(1, remembered / 2));
    private int _forgotten;

    public double SecondsPerToken => 0;

    public bool CanPropose(EngineSequence sequence) => !Find(sequence).IsEmpty;

    public void Propose(List<EngineSequence> sequences)
    {
        foreach (EngineSequence sequence in sequences)
        {
            ReadOnlySpan<int> next = Find(sequence);
            Proposal proposal = sequence.Proposal!;
            for (int i = 0; i < Math.Min(proposal.Wanted, next.Length) && next[i] != Separator; i++) proposal.Add(next[i]);
        }
    }

    public void Keep(EngineSequence sequence, int tokens)
    {
        if (tokens > 0 || !_matches.Remove(sequence, out Match? match)) return;
        _unused.Push(match);
        Remember(sequence.Tokens);
    }

    public void Dispose()
    {
    }

    private void Remember(ReadOnlySpan<int> tokens)
    {
        // Of a text that is longer than a half, its end.
        tokens = tokens[Math.Max(0, tokens.Length - _newer.Capacity + 1)..];
        if (_newer.Count + tokens.Length + 1 > _newer.Capacity)
        {
            (_newer, _older) = (_older, _newer);
            _newer.Clear();
            _forgotten++;
        }

        foreach (int token in tokens) _newer.Append(token);
        if (_newer.Count < _newer.Capacity) _newer.Append(Separator);
    }

    // What followed the longest match.
    private ReadOnlySpan<int> Find(EngineSequence sequence)
    {
        ReadOnlySpan<int> tokens = sequence.Tokens;
        Match match = Follow(sequence, tokens);
        int own = NgramDrafter.Find(tokens), ownLength = own < 0 ? 0 : CommonEnd(tokens, tokens[..own]);
        SuffixAutomaton automaton = match.NewerLength >= match.OlderLength ? _newer : _older;
        (int state, int length) = automaton == _newer ? (match.NewerState, match.NewerLength) : (match.OlderState, match.OlderLength);
        if (length >= Shortest && length >= ownLength && automaton.End(state, length) is var end && end < automaton.Count && automaton.Text[end] != Separator) return automaton.Text[end..];
        return own < 0 ? default : tokens[own..];
    }

    private Match Follow(EngineSequence sequence, ReadOnlySpan<int> tokens)
    {
        if (!_matches.TryGetValue(sequence, out Match? match))
        {
            if (!_unused.TryPop(out match)) match = new Match();
            match.Begin(_forgotten, 0);
            _matches.Add(sequence, match);
        }

        if (match.Forgotten != _forgotten) match.Begin(_forgotten, Math.Max(0, tokens.Length - Context));
        for (; match.Followed < tokens.Length; match.Followed++)
        {
            _newer.Step(ref match.NewerState, ref match.NewerLength, tokens[match.Followed]);
            _older.Step(ref match.OlderState, ref match.OlderLength, tokens[match.Followed]);
        }

        return match;
    }

    private static int CommonEnd(ReadOnlySpan<int> a, ReadOnlySpan<int> b)
    {
        int length = 0;
        while (length < b.Length && a[^(length + 1)] == b[^(length + 1)]) length++;
        return length;
    }

    /// <summary>Where the end of a sequence's text stands in both halves.</summary>
    private sealed class Match
    {
        public int Forgotten, Followed, NewerState, NewerLength, OlderState, OlderLength;

        public void Begin(int forgotten, int followed) =>
            (Forgotten, Followed, NewerState, NewerLength, OlderState, OlderLength) = (forgotten, followed, SuffixAutomaton.Root, 0, SuffixAutomaton.Root, 0);
    }
}
