namespace Quern.Engine;

/// <summary>
/// Proposes what followed the last tokens of a text in texts that the engine finished before, or earlier in the text itself: the longest match wins; the others are branches of a tree. Right where requests are alike: agents, edits, answers from the same sources.
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

    public double SecondsPerToken(int branches) => 0;

    public bool CanPropose(EngineSequence sequence) => !Longest(sequence.Tokens, Follow(sequence, sequence.Tokens)).IsEmpty;

    public void Propose(List<EngineSequence> sequences)
    {
        foreach (EngineSequence sequence in sequences)
        {
            ReadOnlySpan<int> tokens = sequence.Tokens;
            Match match = Follow(sequence, tokens);
            Proposal proposal = sequence.Proposal!;
            proposal.AddPath(Longest(tokens, match), NgramDrafter.Share(proposal, isLast: proposal.Branches == 1));
            if (proposal.Branches == 1) continue;
            proposal.AddPath(Next(_newer, match.NewerState, match.NewerLength), NgramDrafter.Share(proposal, isLast: false));
            proposal.AddPath(Next(_older, match.OlderState, match.OlderLength), NgramDrafter.Share(proposal, isLast: false));
            if (NgramDrafter.Find(tokens) is >= 0 and var own) proposal.AddPath(tokens[own..], NgramDrafter.Share(proposal, isLast: false));
            // What other continuations do not need is the likeliest one's.
            proposal.AddPath(Longest(tokens, match), NgramDrafter.Share(proposal, isLast: true));
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
    private ReadOnlySpan<int> Longest(ReadOnlySpan<int> tokens, Match match)
    {
        int own = NgramDrafter.Find(tokens), ownLength = own < 0 ? 0 : CommonEnd(tokens, tokens[..own]);
        SuffixAutomaton automaton = match.NewerLength >= match.OlderLength ? _newer : _older;
        (int state, int length) = automaton == _newer ? (match.NewerState, match.NewerLength) : (match.OlderState, match.OlderLength);
        if (length >= ownLength && Next(automaton, state, length) is { IsEmpty: false } next) return next;
        return own < 0 ? default : tokens[own..];
    }

    // What followed a match in finished texts, to the end of one.
    private static ReadOnlySpan<int> Next(SuffixAutomaton automaton, int state, int length)
    {
        if (length < Shortest) return default;
        ReadOnlySpan<int> next = automaton.Text[automaton.End(state, length)..];
        next = next[..Math.Min(next.Length, Proposal.MostTokens)];
        int end = next.IndexOf(Separator);
        return end < 0 ? next : next[..end];
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
