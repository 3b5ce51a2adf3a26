namespace Quern.Engine;

/// <summary>
/// How a text goes on when the context is full: without the older half of its tokens behind the first few that stay. What stays is computed again, so that the text goes on exactly as if the
/// model had read it so.
/// </summary>
internal static class ContextShift
{
    /// <summary>How many tokens are dropped of <paramref name="length"/>; 0 if none may be.</summary>
    /// <param name="length">Tokens in the context.</param>
    /// <param name="keep">Tokens at the beginning that stay; null if a full context ends the text.</param>
    public static int Dropped(int length, int? keep) => keep is { } kept ? Math.Max(0, (length - kept) / 2) : 0;

    /// <summary>Drops them.</summary>
    /// <returns>The tokens that stay.</returns>
    public static int Apply(Span<int> tokens, int keep, int dropped)
    {
        tokens[(keep + dropped)..].CopyTo(tokens[keep..]);
        return tokens.Length - dropped;
    }
}
