using System.Buffers;
using Quern.Text.Unicode;
using static Quern.Text.Unicode.CharacterClass;

namespace Quern.Text.PreTokenizers;

/// <summary>Expressions that cut out one kind of character: numbers, punctuation, a script.</summary>
internal static class ClassScanners
{
    /// <summary>Every digit by itself.</summary>
    public static readonly Split SingleNumber = new(@"\p{N}", (text, position) =>
        (CodePoints.ClassAt(text, position, out int next) & Number) != 0 ? next : position);

    /// <summary>All digits together.</summary>
    public static readonly Split NumberRun = new(@"\p{N}+", (text, position) => CodePoints.Run(text, position, Number));

    /// <summary>Groups of three digits, from the left.</summary>
    public static readonly Split NumbersByThree = new(@"\p{N}{1,3}", (text, position) =>
    {
        for (int count = 0; count < 3 && position < text.Length && (CodePoints.ClassAt(text, position, out int next) & Number) != 0; count++) position = next;
        return position;
    });

    /// <summary>Groups of exactly three ASCII digits.</summary>
    public static readonly Split ThreeDigits = new("[0-9][0-9][0-9]", (text, position) =>
        position + 3 <= text.Length && char.IsAsciiDigit((char)text[position]) && char.IsAsciiDigit((char)text[position + 1])
            && char.IsAsciiDigit((char)text[position + 2]) ? position + 3 : position);

    /// <summary>Every line end by itself.</summary>
    public static readonly Split Newline = new(@"[\r\n]", (text, position) =>
        text[position] is (byte)'\r' or (byte)'\n' ? position + 1 : position);

    /// <summary>Lines and runs of line ends.</summary>
    public static readonly Split Lines = new(@"[^\n]+|[\n]+", (text, position) =>
    {
        int length = text[position] == '\n' ? text[position..].IndexOfAnyExcept((byte)'\n') : text[position..].IndexOf((byte)'\n');
        return length < 0 ? text.Length : position + length;
    });

    /// <summary>Words with at most one white space before them.</summary>
    public static readonly Split SpacedLetters = new(@"\s?\p{L}+", (text, position) => SpacedRun(text, position, Letter));

    /// <summary>Punctuation with at most one white space before it.</summary>
    public static readonly Split SpacedPunctuation = new(@"\s?\p{P}+", (text, position) => SpacedRun(text, position, Punctuation));

    /// <summary>What deepseek takes for Chinese, Japanese and Korean: nearly everything between Samaritan and Hangul.</summary>
    public static readonly Split DeepSeekEastAsian = new("[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+", (text, position) =>
    {
        while (position < text.Length)
        {
            int codePoint = CodePoints.Decode(text, position, out int next);
            if (codePoint is not ((>= 0x800 and <= 0x9FA5) or (>= 0xAC00 and <= 0xD7FF)) || (CodePoints.Class(codePoint) & Space) != 0) break;
            position = next;
        }

        return position;
    });

    /// <summary>Han ideographs and kana.</summary>
    public static readonly Split HanAndKana = new("[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+", (text, position) =>
    {
        while (position < text.Length && CodePoints.Decode(text, position, out int next) is (>= 0x4E00 and <= 0x9FA5) or (>= 0x3040 and <= 0x30FF)) position = next;
        return position;
    });

    /// <summary>Punctuation and the ASCII symbols, as falcon cuts them out.</summary>
    public static readonly Split FalconPunctuation = PunctuationAnd(@"$+<=>^~|`");

    /// <summary>The same without the back quote, as files without a pre-tokenizer have it.</summary>
    public static readonly Split DefaultPunctuation = PunctuationAnd("$+<=>^~|");

    /// <summary>The words of DeepSeek V3; numbers and white space within lines are cut out by other expressions.</summary>
    /// <param name="newlinesAfterPunctuation">Line ends belong to the punctuation before them; otherwise each stands by itself.</param>
    public static Split DeepSeekWords(bool newlinesAfterPunctuation)
    {
        string newlines = newlinesAfterPunctuation ? @"[\r\n]*|\s*[\r\n]+" : @"|[\r\n]";
        string pattern =
            @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+" + newlines + @"|\s+(?!\S)|\s+";
        return newlinesAfterPunctuation ? new Split(pattern, MatchDeepSeek) : new Split(pattern);
    }

    private static int MatchDeepSeek(ReadOnlySpan<byte> text, int position)
    {
        byte first = text[position];
        CharacterClass kind = CodePoints.ClassAt(text, position, out int next);
        if (first < 0x80 && (kind & (Punctuation | Symbol)) != 0 && next < text.Length && char.IsAsciiLetter((char)text[next]))
        {
            int length = text[next..].IndexOfAnyExcept(AsciiLetters);
            return length < 0 ? text.Length : next + length;
        }

        if ((kind & (Letter | Mark)) != 0) return CodePoints.Run(text, next, Letter | Mark);
        if ((kind & (Punctuation | Symbol)) == 0 && first is not ((byte)'\r' or (byte)'\n')
            && next < text.Length && (CodePoints.ClassAt(text, next, out int afterLetter) & (Letter | Mark)) != 0)
        {
            return CodePoints.Run(text, afterLetter, Letter | Mark);
        }

        int end = CodePoints.Run(text, first == ' ' ? position + 1 : position, Punctuation | Symbol);
        if (end > position + (first == ' ' ? 1 : 0))
        {
            while (end < text.Length && text[end] is (byte)'\r' or (byte)'\n') end++;
            return end;
        }

        return (kind & Space) != 0 ? WordScanners.SpaceOrNewlines(text, position) : position;
    }

    private static readonly SearchValues<byte> AsciiLetters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private static int SpacedRun(ReadOnlySpan<byte> text, int position, CharacterClass classes)
    {
        int body = position;
        if ((CodePoints.ClassAt(text, position, out int next) & Space) != 0) body = next;
        int end = CodePoints.Run(text, body, classes);
        return end > body ? end : position;
    }

    private static Split PunctuationAnd(string asciiSymbols)
    {
        string escaped = string.Concat(asciiSymbols.Select(c => "\\" + c));
        return new Split($@"[\p{{P}}{escaped}]+", (text, position) =>
        {
            while (position < text.Length)
            {
                CharacterClass kind = CodePoints.ClassAt(text, position, out int next);
                bool matches = (kind & Punctuation) != 0 || (text[position] < 0x80 && asciiSymbols.Contains((char)text[position]));
                if (!matches) break;
                position = next;
            }

            return position;
        });
    }
}
