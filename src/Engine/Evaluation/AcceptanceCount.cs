namespace Quern.Engine.Evaluation;

/// <summary>Rounds of speculative decoding with one draft length, and what became of the proposals.</summary>
/// <param name="DraftLength">Tokens that the draft proposes in a round.</param>
/// <param name="Rounds">Passes of the target.</param>
/// <param name="Proposed">Tokens proposed.</param>
/// <param name="Accepted">Those of them that equal the target's choice, as all before them in their round do.</param>
public readonly record struct AcceptanceCount(int DraftLength, long Rounds, long Proposed, long Accepted)
{
    /// <summary>Share of the proposals that were accepted; NaN for none.</summary>
    public double Share => (double)Accepted / Proposed;

    /// <summary>Proposals accepted in a round, on average; the pass gives one token more, of the target's own. NaN for no rounds.</summary>
    public double MeanAcceptedLength => (double)Accepted / Rounds;

    /// <summary>The rounds of both.</summary>
    /// <exception cref="ArgumentException">The draft lengths differ.</exception>
    public AcceptanceCount And(AcceptanceCount other) => other.DraftLength == DraftLength
        ? new(DraftLength, Rounds + other.Rounds, Proposed + other.Proposed, Accepted + other.Accepted)
        : throw new ArgumentException($"counts with drafts of {DraftLength} and {other.DraftLength} tokens do not add up", nameof(other));

    /// <summary>Plays the rounds. The first begins with the text, each other one behind the tokens accepted and the target's own behind those.</summary>
    /// <param name="chosen">[tokens] What the target chose.</param>
    /// <param name="drafted">[tokens] What the draft chooses behind the same tokens.</param>
    /// <param name="length">Rounds begin before this token.</param>
    /// <param name="ended">
    /// The last token ends the text: the last round has no more proposals than tokens are left. Where it does not, a round without all its
    /// tokens is left out.
    /// </param>
    /// <param name="draftLength">Tokens that the draft proposes in a round.</param>
    internal static AcceptanceCount Play(ReadOnlySpan<int> chosen, ReadOnlySpan<int> drafted, int length, bool ended, int draftLength)
    {
        AcceptanceCount count = new(draftLength, 0, 0, 0);
        for (int begin = 0; begin < Math.Min(length, chosen.Length);)
        {
            int proposed = Math.Min(draftLength, chosen.Length - begin);
            if (proposed < draftLength && !ended) break;
            int accepted = chosen.Slice(begin, proposed).CommonPrefixLength(drafted.Slice(begin, proposed));
            count = new(draftLength, count.Rounds + 1, count.Proposed + proposed, count.Accepted + accepted);
            begin += accepted + 1;
        }

        return count;
    }
}

/// <summary>What was measured behind one prompt.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="Tokens">[tokens] What the target generated, as far as rounds begin in it; the token that ended the text is the last.</param>
/// <param name="Ended">Whether the target ended the text.</param>
/// <param name="Counts">The rounds, for each draft length.</param>
public sealed record AcceptanceText(int PromptTokens, IReadOnlyList<int> Tokens, bool Ended, IReadOnlyList<AcceptanceCount> Counts);
