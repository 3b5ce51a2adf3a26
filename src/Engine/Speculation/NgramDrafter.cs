namespace Quern.Engine;

/// <summary>
/// Proposes what followed the last tokens of a text where they stood before in it: the latest place with the longest match wins. Without a model; right where a text repeats itself or its prompt.
/// Source: Saxena 2023, prompt lookup decoding; Yang et al. 2023, arXiv 2304.04487.
/// </summary>
internal sealed class NgramDrafter : IDrafter
{
    private const int Longest = 4, Shortest = 2;

    public double SecondsPerToken => 0;

    public bool CanPropose(EngineSequence sequence) => Find(sequence.Tokens) >= 0;

    public void Propose(List<EngineSequence> sequences)
    {
        foreach (EngineSequence sequence in sequences)
        {
            ReadOnlySpan<int> tokens = sequence.Tokens;
            int at = Find(tokens);
            for (int i = 0; at >= 0 && i < sequence.Proposal!.Wanted; i++, at++)
            {
                // Behind the end of the text it is the proposal itself that goes on.
                sequence.Proposal.Add(at < tokens.Length ? tokens[at] : sequence.Proposal.Tokens[at - tokens.Length]);
            }
        }
    }

    public void Keep(EngineSequence sequence, int tokens)
    {
    }

    public void Dispose()
    {
    }

    /// <summary>Where it goes on behind the latest earlier place of the longest end of the tokens; −1 if there is none.</summary>
    internal static int Find(ReadOnlySpan<int> tokens)
    {
        for (int length = Math.Min(Longest, tokens.Length - 1); length >= Shortest; length--)
        {
            int at = tokens[..^1].LastIndexOf(tokens[^length..]);
            if (at >= 0) return at + length;
        }

        return -1;
    }
}
