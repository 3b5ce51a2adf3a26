namespace Quern.Engine;

/// <summary>
/// What speculation may lose. A step with proposals costs c seconds and brings m tokens that would have cost p each without: it loses c − m p, or wins. Losses are allowed up to
/// <see cref="Share"/> of all time and <see cref="FirstTokens"/> plain tokens; above that nothing is proposed, until time has passed. So a drafter that is never right is tried again and again, ever
/// for the same share: with l the most that one step loses, n tokens take at most ((n + <see cref="FirstTokens"/>) p + l) / (1 − <see cref="Share"/>). Winnings make up for losses, but few are kept for later ones: text changes.
/// What a draft model spends on reading a text once is not counted: it is spent only where it is expected to be won back on that text (<see cref="Speculator"/>).
/// </summary>
internal sealed class SpeculationBudget
{
    private const double Share = 0.02;
    private const int FirstTokens = 2, MostTokensKept = 4;

    private double _seconds;
    private double _lost;

    /// <summary>Whether proposals may be made.</summary>
    /// <param name="plainSeconds">What a token costs without.</param>
    public bool Allows(double plainSeconds) => _lost <= (Share * _seconds) + (FirstTokens * plainSeconds);

    /// <summary>A step without proposals.</summary>
    public void Passed(double seconds) => _seconds += seconds;

    /// <summary>A step with proposals.</summary>
    /// <param name="seconds">What it cost, proposing included.</param>
    /// <param name="tokens">Tokens that came out.</param>
    /// <param name="plainSeconds">What one of them costs without.</param>
    public void Tried(double seconds, double tokens, double plainSeconds)
    {
        _seconds += seconds;
        // The time that has passed allows what was lost in it; from a win on, only what is kept counts.
        _lost = Math.Max(_lost + seconds - (tokens * plainSeconds), (Share * _seconds) - (MostTokensKept * plainSeconds));
    }
}
