namespace Quern.Text.PreTokenizers;

/// <summary>
/// One step of a pre-tokenizer: a text becomes the matches of a regular expression and the gaps between them. The expression is the
/// definition; a scanner, where there is one, does the same much faster, which the tests check.
/// </summary>
/// <param name="Pattern">The regular expression, in .NET's syntax, over code points (see <see cref="CollapsedText"/>).</param>
/// <param name="Scanner">The same written by hand, or null.</param>
internal sealed record Split(string Pattern, Scanner? Scanner = null)
{
    /// <summary>The step as a link of a chain.</summary>
    public IPieceSink Before(IPieceSink next) => Scanner is null ? new RegexSplit(Pattern, next) : new ScannerSplit(Scanner, next);
}
