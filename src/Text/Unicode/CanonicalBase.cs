using System.Runtime.InteropServices;

namespace Quern.Text.Unicode;

/// <summary>
/// The first character of a canonical decomposition (NFD): é becomes e, a Hangul syllable its leading consonant.
/// The table is ours because string normalisation does nothing under InvariantGlobalization.
/// Source: The Unicode Standard, chapter 3.11 (normalisation) and 3.12 (Hangul).
/// </summary>
internal static partial class CanonicalBase
{
    private const int HangulFirst = 0xAC00;
    private const int HangulLast = 0xD7A3;
    private const int LeadingConsonantFirst = 0x1100;
    private const int SyllablesPerLeadingConsonant = 588;

    public static int Of(int codePoint)
    {
        if (codePoint < 0xC0) return codePoint;
        if (codePoint is >= HangulFirst and <= HangulLast)
            return LeadingConsonantFirst + ((codePoint - HangulFirst) / SyllablesPerLeadingConsonant);

        ReadOnlySpan<Pair> pairs = MemoryMarshal.Cast<int, Pair>(Pairs);
        int low = 0, high = pairs.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            int from = pairs[middle].From;
            if (from == codePoint) return pairs[middle].To;
            if (from < codePoint) low = middle + 1;
            else high = middle - 1;
        }

        return codePoint;
    }

    private readonly record struct Pair(int From, int To);
}
