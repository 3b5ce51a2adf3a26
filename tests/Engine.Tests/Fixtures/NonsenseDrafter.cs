namespace Quern.Engine.Tests;

/// <summary>Proposes the same token again and again.</summary>
internal sealed class NonsenseDrafter : IDrafter
{
    public double SecondsPerToken(int branches) => 0;

    public bool CanPropose(EngineSequence sequence) => true;

    public void Propose(List<EngineSequence> sequences)
    {
        foreach (EngineSequence sequence in sequences)
            while (sequence.Proposal!.Count < sequence.Proposal.Wanted) sequence.Proposal.Add(5);
    }

    public void Keep(EngineSequence sequence, int tokens)
    {
    }

    public void Dispose()
    {
    }
}
