using System.Globalization;
using System.Text;
using Quern.Text.Unicode;

namespace Quern.Text.PreTokenizers;

/// <summary>
/// Cuts numbers into groups of three digits counted from their right end. The regular expressions that say so look ahead to the end of the
/// number at every digit, so that a number of a million digits would take hours; this takes one pass.
/// </summary>
internal sealed class NumberGroupSplit : IPieceSink
{
    /// <summary>Every number is cut out, and into groups.</summary>
    public static readonly Split All = new(@"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))", next => new NumberGroupSplit(next, decimalOnly: false, isolated: true, wordEnd: false));

    /// <summary>The same for decimal numbers that no letter follows. Source: tokenizer.json of Cohere's Aya, which writes the end as \b.</summary>
    public static readonly Split BeforeNoLetter = new(
        @"\d{1,3}(?=(?:\d{3})*(?![\d\p{L}\p{M}\p{Pc}\u200C\u200D]))", next => new NumberGroupSplit(next, decimalOnly: true, isolated: true, wordEnd: true));

    /// <summary>Only the places between groups are cut, and the one before a number of whole groups.</summary>
    public static readonly Split Between = new(@"(?=(\d{3})+(?!\d))", next => new NumberGroupSplit(next, decimalOnly: true, isolated: false, wordEnd: false));

    private readonly IPieceSink _next;
    private readonly bool _decimalOnly;
    private readonly bool _isolated;
    private readonly bool _wordEnd;

    private NumberGroupSplit(IPieceSink next, bool decimalOnly, bool isolated, bool wordEnd)
    {
        _next = next;
        _decimalOnly = decimalOnly;
        _isolated = isolated;
        _wordEnd = wordEnd;
    }

    public void Accept(ReadOnlySpan<byte> piece, List<int> ids)
    {
        int done = 0;
        for (int position = 0; position < piece.Length;)
        {
            int start = position;
            int digits = 0;
            while (position < piece.Length && IsDigit(CodePoints.Decode(piece, position, out int after)))
            {
                position = after;
                digits++;
            }

            if (digits == 0)
            {
                position += CodePoints.Length(piece[position]);
                continue;
            }

            if (_wordEnd && position < piece.Length && IsWord(CodePoints.Decode(piece, position, out _))) continue;
            if (_isolated) Cut(piece, start, ref done, ids);
            int cut = start;
            for (int left = digits; left > 0; left--)
            {
                if (left % 3 == 0) Cut(piece, cut, ref done, ids);
                cut += CodePoints.Length(piece[cut]);
            }

            if (_isolated) Cut(piece, position, ref done, ids);
        }

        Cut(piece, piece.Length, ref done, ids);
    }

    private void Cut(ReadOnlySpan<byte> piece, int position, ref int done, List<int> ids)
    {
        if (done < position) _next.Accept(piece[done..position], ids);
        done = position;
    }

    private bool IsDigit(int codePoint) => (CodePoints.Class(codePoint) & CharacterClass.Number) != 0
        && (!_decimalOnly || Rune.GetUnicodeCategory(new Rune(codePoint)) == UnicodeCategory.DecimalDigitNumber);

    private static bool IsWord(int codePoint) => (CodePoints.Class(codePoint) & (CharacterClass.Letter | CharacterClass.Mark)) != 0
        || codePoint is 0x200C or 0x200D || Rune.GetUnicodeCategory(new Rune(codePoint)) == UnicodeCategory.ConnectorPunctuation;
}
