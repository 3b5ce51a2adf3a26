using Quern.Text.Unicode;

namespace Quern.Text.PreTokenizers;

/// <summary>Expressions of single models. Most run as regular expressions: a scanner is worth its lines only where many models share it.</summary>
internal static class RarePatterns
{
    /// <summary>White space at the end of the text.</summary>
    public static readonly Split TrailingSpace = new(@"\s+\z", (text, position) =>
    {
        // Behind white space the expression was tried already, so that a long run is walked once.
        if (position > 0 && (CodePoints.ClassAt(text, CodePoints.Previous(text, position), out _) & CharacterClass.Space) != 0) return position;
        return CodePoints.Run(text, position, CharacterClass.Space) == text.Length ? text.Length : position;
    });

    /// <summary>Words of cased scripts. The ranges beyond U+FFFF of the original are folded into Ѐ and ѐ by <see cref="CollapsedText"/>.</summary>
    public static readonly Split DeepSeekCasedLetters = new(
        @"\s?[A-Za-z"
        + @"\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373\u0376-\u0377"
        + @"\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556"
        + @"\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A"
        + @"\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4"
        + @"\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC"
        + @"\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F"
        + @"\u2145-\u2149\u214E\u2183-\u2184\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2-\u2CF3\uA640-\uA66D\uA680-\uA69B"
        + @"\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A"
        + "]+");

    /// <summary>Punctuation of ASCII, its full-width forms, quotation marks, and the ideographic comma and full stop.</summary>
    public static readonly Split DeepSeekPunctuation = new("\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+");

    /// <summary>Scripts that are written without spaces, in the blocks that the model names.</summary>
    public static readonly Split AfmoeScripts = new(
        "[\u4E00-\u9FFF\u3400-\u4DBF\uF900-\uFAFF\u3040-\u309F\u30A0-\u30FF\uFF65-\uFF9F\u2F00-\u2FDF\u0E40-\u0E7F\u0E80-\u0EFF\u1780-\u17FF"
        + "\u1000-\u109F\uAA60-\uAA7F\uA9E0-\uA9FF\uAC00-\uD7AF\u1100-\u11FF]+");

    public static readonly Split YoutuScripts = new(
        "[\uAC00-\uD7A3\u3131-\u318E]+|[！…“”‘’—：；，\u3001-\u303F\uFE30-\uFE4F]+|[\u3105-\u312F]+|[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+");

    /// <summary>Everything between white space and sentence punctuation.</summary>
    public static readonly Split BloomWords = new(@" ?[^(\s|.,!?…。，、।۔،)]+");

    public static readonly Split ExaoneWords = new(
        AnyCase + @"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+");

    /// <summary>As llama3, but white space comes in powers of two.</summary>
    public static readonly Split JaisWords = new(
        AnyCase + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)"
        + @"|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}");

    /// <summary>As o200k, but Han ideographs are words by themselves.</summary>
    public static readonly Split KimiWords = new(
        $@"[{Han}]+|{Lead}{KimiUpper}*{KimiLower}+(?:{AnyCase})?|{Lead}{KimiUpper}+{KimiLower}*(?:{AnyCase})?"
        + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+");

    public static readonly Split ChameleonSentinel = new("<sentinel:[0-9]+>");

    public static readonly Split ChameleonImage = new("IMGIMG[A-I]{1,4}Z");

    public static readonly Split ChameleonSpace = new(@"[\t\n]|    |  ");

    public static readonly Split ChameleonPunctuation = new(@"[\p{P}!-/:-@\[-`{-~]");

    private const string AnyCase = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";

    private const string Lead = @"[^\r\n\p{L}\p{N}]?";

    // The last is CollapsedText.AstralHan.
    private const string Han = @"\u4E00-\u9FFF\u3400-\u4DBF\uF900-\uFAFF\uA500";

    private const string KimiUpper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}-[" + Han + "]]";

    private const string KimiLower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}-[" + Han + "]]";
}
