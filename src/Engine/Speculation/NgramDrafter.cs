namespace Quern.Engine;

/// <summary>
/// Proposes what followed the last tokens of a text where they stood before in it: the latest place with the longest match wins; branches of a tree are other places, where it went on with another token. Without a model; right where a text repeats itself or its prompt.
/// Source: Saxena 2023, prompt lookup decoding; Yang et al. 2023, arXiv 2304.04487.
/// </summary>
internal sealed class NgramDrafter : IDrafter
{
    private const int Longest = 4, Shortest = 2;

    public double SecondsPerToken(int branches) => 0;

    public bool CanPropose(EngineSequence sequence) => Find(sequence.Tokens) >= 0;

    public void Propose(List<EngineSequence> sequences)
    {
        Span<int> somePlaces = stackalloc int[SpeculationOptions.MostBranches], somePath = stackalloc int[Proposal.MostTokens];
        foreach (EngineSequence sequence in sequences)
        {
            ReadOnlySpan<int> tokens = sequence.Tokens;
            Proposal proposal = sequence.Proposal!;
            Span<int> places = somePlaces[..proposal.Branches], path = somePath[..proposal.Wanted];
            int found = Find(tokens, places);
            for (int i = 0; i < found; i++)
            {
                int at = places[i];
                // Behind the end of the text it is the proposal itself that goes on.
                for (int j = 0; j < path.Length; j++, at++) path[j] = at < tokens.Length ? tokens[at] : path[at - tokens.Length];
                proposal.AddPath(path, Share(proposal, isLast: i == found - 1));
            }
        }
    }

    /// <summary>How many tokens of a tree the next continuation gets: of what is left, more than half, as it is likelier than those behind it; the last one gets all.</summary>
    public static int Share(Proposal proposal, bool isLast) => proposal.Wanted - proposal.Count is var left && isLast ? left : left - (left / 3);

    public void Keep(EngineSequence sequence, int tokens)
    {
    }

    public void Dispose()
    {
    }

    /// <summary>Where it goes on behind the latest earlier place of the longest end of the tokens; −1 if there is none.</summary>
    internal static int Find(ReadOnlySpan<int> tokens)
    {
        int place = -1;
        return Find(tokens, new Span<int>(ref place)) > 0 ? place : -1;
    }

    /// <summary>The same of as many places as there is room for, all going on with different tokens. Returns how many there are.</summary>
    internal static int Find(ReadOnlySpan<int> tokens, Span<int> places)
    {
        int found = 0;
        for (int length = Math.Min(Longest, tokens.Length - 1); length >= Shortest; length--)
        {
            ReadOnlySpan<int> end = tokens[^length..];
            for (int at = tokens[..^1].LastIndexOf(end); at >= 0; at = tokens[..(at + length - 1)].LastIndexOf(end))
            {
                if (IsKnown(tokens, places[..found], tokens[at + length])) continue;
                places[found++] = at + length;
                if (found == places.Length) return found;
            }
        }

        return found;
    }

    private static bool IsKnown(ReadOnlySpan<int> tokens, ReadOnlySpan<int> places, int next)
    {
        foreach (int place in places)
            if (tokens[place] == next) return true;
        return false;
    }
}
