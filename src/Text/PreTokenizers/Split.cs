namespace Quern.Text.PreTokenizers;

/// <summary>
/// One step of a pre-tokenizer: a text becomes the matches of a regular expression and the gaps between them. The expression is the
/// definition; code written by hand, where there is some, does the same much faster, which the tests check.
/// </summary>
/// <param name="Pattern">The regular expression, in .NET's syntax, over code points (see <see cref="CollapsedText"/>).</param>
/// <param name="ByHand">The same written by hand, as a link before another, or null.</param>
internal sealed record Split(string Pattern, Func<IPieceSink, IPieceSink>? ByHand = null)
{
    /// <summary>A step whose matches can be found one by one.</summary>
    public Split(string pattern, Scanner scanner)
        : this(pattern, next => new ScannerSplit(scanner, next))
    {
    }

    /// <summary>The step as a link of a chain.</summary>
    public IPieceSink Before(IPieceSink next) => ByHand is null ? new RegexSplit(Pattern, next) : ByHand(next);
}
