namespace Quern.Engine;

/// <summary>Proposes tokens that a model may choose next.</summary>
internal interface IDrafter : IDisposable
{
    /// <summary>Seconds that one more token of the longest proposal costs.</summary>
    double SecondsPerToken { get; }

    /// <summary>Whether it may have a proposal for a sequence now; costs nothing to ask.</summary>
    bool CanPropose(EngineSequence sequence);

    /// <summary>Fills the proposals of sequences, as far as <see cref="Proposal.Wanted"/> and perhaps less far.</summary>
    void Propose(List<EngineSequence> sequences);

    /// <summary>A sequence's tokens behind the first <paramref name="tokens"/> are not what was proposed, or the sequence has ended (0).</summary>
    void Keep(EngineSequence sequence, int tokens);
}
