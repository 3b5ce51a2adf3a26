namespace Quern.Engine.Tests;

/// <summary>Proposes random trees that hold parts of the texts that will come, in any order, among tokens that will not.</summary>
/// <param name="texts">Prompts with what follows them.</param>
/// <param name="seed">Of the random numbers.</param>
internal sealed class ForestDrafter(IReadOnlyList<int[]> texts, int seed) : IDrafter
{
    private readonly Random _random = new(seed);

    /// <summary>Trees that were proposed and had branches.</summary>
    public int Trees { get; private set; }

    public double SecondsPerToken(int branches) => 0;

    public bool CanPropose(EngineSequence sequence) => true;

    public void Propose(List<EngineSequence> sequences)
    {
        foreach (EngineSequence sequence in sequences)
        {
            Proposal proposal = sequence.Proposal!;
            int[] tokens = sequence.Tokens.ToArray();
            int[] truth = texts.FirstOrDefault(text => text.AsSpan().StartsWith(tokens)) is { } found ? found[tokens.Length..] : [];
            List<int> right = [Proposal.Root];
            for (int tries = 0; tries < 4 * proposal.Wanted && proposal.Count < proposal.Wanted; tries++)
            {
                bool goesOn = _random.Next(2) == 0 && right.Count <= truth.Length;
                int parent = goesOn ? right[^1] : _random.Next(-1, proposal.Count);
                int token = goesOn ? truth[right.Count - 1] : 3 + _random.Next(250);
                if (proposal.Child(parent, token) != Proposal.None) continue;
                int added = proposal.Branches == 1 ? Chained(proposal, token) : proposal.Add(token, parent);
                if (goesOn) right.Add(added);
            }

            if (!proposal.IsChain) Trees++;
        }
    }

    public void Keep(EngineSequence sequence, int tokens)
    {
    }

    public void Dispose()
    {
    }

    private static int Chained(Proposal proposal, int token)
    {
        proposal.Add(token);
        return proposal.Count - 1;
    }
}
