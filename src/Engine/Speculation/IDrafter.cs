namespace Quern.Engine;

/// <summary>Proposes tokens that a model may choose next.</summary>
internal interface IDrafter : IDisposable
{
    /// <summary>Seconds that one more token of the longest way through a proposal costs.</summary>
    /// <param name="branches">Branches of the proposals; 1 for chains.</param>
    double SecondsPerToken(int branches);

    /// <summary>Seconds that have to be spent before the first proposal for a sequence, on reading its text; 0 once that is done.</summary>
    double SecondsToRead(EngineSequence sequence) => 0;

    /// <summary>Seconds of the last <see cref="Propose"/> that were spent so.</summary>
    double ReadingSeconds => 0;

    /// <summary>Whether it may have a proposal for a sequence now; costs nothing to ask.</summary>
    bool CanPropose(EngineSequence sequence);

    /// <summary>Fills the proposals of sequences, as far as <see cref="Proposal.Wanted"/> and perhaps less far, with trees where <see cref="Proposal.Branches"/> asks for them.</summary>
    void Propose(List<EngineSequence> sequences);

    /// <summary>A sequence's tokens behind the first <paramref name="tokens"/> are not what was proposed, or the sequence has ended (0).</summary>
    void Keep(EngineSequence sequence, int tokens);
}
