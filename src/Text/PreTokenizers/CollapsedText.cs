using System.Buffers;
using System.Globalization;
using Quern.Text.Unicode;

namespace Quern.Text.PreTokenizers;

/// <summary>
/// A text as one UTF-16 unit per code point, so that .NET's regular expressions, which see units, see code points. A character beyond
/// U+FFFF is replaced by one of the same category that no expression names, with three exceptions that the expressions do name: the cased
/// letters of DeepSeek's list, and Han ideographs, which become <see cref="AstralHan"/>. White space beyond ASCII becomes U+000B, as
/// in llama.cpp (src/unicode.cpp), so that ranges that happen to contain some do not match it.
/// </summary>
internal ref struct CollapsedText
{
    /// <summary>Stands for a Han ideograph beyond U+FFFF: of category Lo, and in no block that an expression names (Vai, ꔀ).</summary>
    public const char AstralHan = '\uA500';

    private readonly char[] _characters;
    private readonly int[] _offsets;
    private readonly int _count;

    public CollapsedText(ReadOnlySpan<byte> text)
    {
        _characters = ArrayPool<char>.Shared.Rent(text.Length);
        _offsets = ArrayPool<int>.Shared.Rent(text.Length + 1);
        _count = 0;
        for (int position = 0; position < text.Length;)
        {
            _offsets[_count] = position;
            int codePoint = CodePoints.Decode(text, position, out position);
            _characters[_count++] = codePoint < 0x80 ? (char)codePoint : Collapse(codePoint);
        }

        _offsets[_count] = text.Length;
    }

    /// <summary>The text, one unit for each code point.</summary>
    public readonly ReadOnlySpan<char> Characters => _characters.AsSpan(0, _count);

    /// <summary>Where a code point begins in the UTF-8 text, in bytes; for the count of all, the length of the text.</summary>
    public readonly int Offset(int index) => _offsets[index];

    public readonly void Dispose()
    {
        ArrayPool<char>.Shared.Return(_characters);
        ArrayPool<int>.Shared.Return(_offsets);
    }

    internal static char Collapse(int codePoint)
    {
        if (codePoint < 0x10000) return codePoint >= 0x80 && char.IsWhiteSpace((char)codePoint) ? '\v' : (char)codePoint;
        return CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
        {
            UnicodeCategory.UppercaseLetter => IsDeepSeekCased(codePoint) ? 'Ѐ' : '\uA7C0',
            UnicodeCategory.LowercaseLetter => IsDeepSeekCased(codePoint) ? 'ѐ' : '\uA7C1',
            UnicodeCategory.TitlecaseLetter => 'ǅ',
            UnicodeCategory.ModifierLetter => '\uA7F8',
            UnicodeCategory.OtherLetter => IsHan(codePoint) ? AstralHan : '\u0710',
            UnicodeCategory.DecimalDigitNumber => '\u0660',
            UnicodeCategory.LetterNumber => '\uA6E6',
            UnicodeCategory.OtherNumber => '²',
            UnicodeCategory.NonSpacingMark => '\u0300',
            UnicodeCategory.SpacingCombiningMark => '\uA823',
            UnicodeCategory.EnclosingMark => '\u0488',
            UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation
                or UnicodeCategory.ClosePunctuation or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation
                or UnicodeCategory.OtherPunctuation => '§',
            UnicodeCategory.MathSymbol or UnicodeCategory.CurrencySymbol or UnicodeCategory.ModifierSymbol or UnicodeCategory.OtherSymbol => '©',
            _ => '\uE000',
        };
    }

    /// <summary>The ranges beyond U+FFFF that the expression of deepseek-llm names: Deseret, Osage, Old Hungarian, Warang Citi, Adlam.</summary>
    private static bool IsDeepSeekCased(int c) => c is (>= 0x10400 and <= 0x1044F) or (>= 0x104B0 and <= 0x104D3) or (>= 0x104D8 and <= 0x104FB)
        or (>= 0x10C80 and <= 0x10CB2) or (>= 0x10CC0 and <= 0x10CF2) or (>= 0x118A0 and <= 0x118DF) or (>= 0x1E900 and <= 0x1E943);

    private static bool IsHan(int c) => c is (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2EBEF) or (>= 0x2F800 and <= 0x2FA1F);
}
