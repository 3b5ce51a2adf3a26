using Quern.Text.Unicode;
using static Quern.Text.Unicode.CharacterClass;

namespace Quern.Text.PreTokenizers;

/// <summary>The hot expressions that cut a text into words, each a <see cref="Scanner"/> beside the expression that it equals.</summary>
internal static class WordScanners
{
    /// <summary>The words of GPT-2. Source: Radford et al., encoder.py of gpt-2, 2019.</summary>
    public static readonly Split Gpt2 = new(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", MatchGpt2);

    private const string AnyCaseContraction = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";

    /// <summary>The words of cl100k and of all that descend from it (Llama 3, Qwen 2).</summary>
    /// <param name="digits">How many digits a number may have; 0 for any number.</param>
    /// <param name="contractions">English contractions are words of their own.</param>
    /// <param name="marks">Combining marks belong to words as letters do.</param>
    /// <param name="newlinesAfterPunctuation">Line ends belong to the punctuation before them.</param>
    public static Split Cl100k(int digits, bool contractions = true, bool marks = false, bool newlinesAfterPunctuation = true)
    {
        string letter = marks ? @"[\p{L}\p{M}]" : @"\p{L}";
        string mark = marks ? @"\p{M}" : "";
        string pattern = (contractions ? AnyCaseContraction + "|" : "")
            + $@"[^\r\n\p{{L}}\p{{N}}]?{letter}+|\p{{N}}{(digits == 0 ? "+" : $"{{1,{digits}}}")}"
            + $@"| ?[^\s\p{{L}}{mark}\p{{N}}]+{(newlinesAfterPunctuation ? @"[\r\n]*" : "")}|\s*[\r\n]+|\s+(?!\S)|\s+";
        CharacterClass letters = marks ? Letter | Mark : Letter;
        int mostDigits = digits == 0 ? int.MaxValue : digits;
        return new Split(pattern, (text, position) => MatchCl100k(text, position, mostDigits, contractions, letters, newlinesAfterPunctuation));
    }

    /// <summary>The words of o200k (GPT-4o, Llama 4): as cl100k, but a word ends where upper case follows lower case.</summary>
    /// <param name="digits">How many digits a number may have.</param>
    /// <param name="contractions">English contractions belong to the word before them.</param>
    public static Split O200k(int digits, bool contractions)
    {
        const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", Lead = @"[^\r\n\p{L}\p{N}]?";
        string tail = contractions ? $"(?:{AnyCaseContraction})?" : "";
        return new Split(
            $@"{Lead}{Upper}*{Lower}+{tail}|{Lead}{Upper}+{Lower}*{tail}|\p{{N}}{{1,{digits}}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            (text, position) => MatchO200k(text, position, digits, contractions));
    }

    private static int MatchGpt2(ReadOnlySpan<byte> text, int position)
    {
        byte first = text[position];
        if (first == '\'')
        {
            int end = Contraction(text, position, caseMask: 0);
            if (end > position) return end;
        }

        int body = first == ' ' ? position + 1 : position;
        if (body < text.Length)
        {
            CharacterClass kind = CodePoints.ClassAt(text, body, out int next);
            if ((kind & Letter) != 0) return CodePoints.Run(text, next, Letter);
            if ((kind & Number) != 0) return CodePoints.Run(text, next, Number);
            if ((kind & Space) == 0) return CodePoints.RunOutside(text, next, Space | Letter | Number);
        }

        return SpaceBeforeWord(text, CodePoints.Run(text, position, Space), position);
    }

    private static int MatchCl100k(ReadOnlySpan<byte> text, int position, int digits, bool contractions, CharacterClass letters, bool newlines)
    {
        byte first = text[position];
        if (first == '\'' && contractions)
        {
            int end = Contraction(text, position, caseMask: 0x20);
            if (end > position) return end;
        }

        CharacterClass kind = CodePoints.ClassAt(text, position, out int next);
        if ((kind & letters) != 0) return CodePoints.Run(text, next, letters);
        if ((kind & Number) != 0) return DigitRun(text, position, digits);
        if (first is not ((byte)'\r' or (byte)'\n') && next < text.Length && (CodePoints.ClassAt(text, next, out int afterLetter) & letters) != 0)
            return CodePoints.Run(text, afterLetter, letters);

        int body = first == ' ' ? position + 1 : position;
        if (body < text.Length && (CodePoints.ClassAt(text, body, out next) & (Space | Number | letters)) == 0)
        {
            int end = CodePoints.RunOutside(text, next, Space | Number | letters);
            while (newlines && end < text.Length && text[end] is (byte)'\r' or (byte)'\n') end++;
            return end;
        }

        return SpaceOrNewlines(text, position);
    }

    private static int MatchO200k(ReadOnlySpan<byte> text, int position, int digits, bool contractions)
    {
        byte first = text[position];
        CharacterClass kind = CodePoints.ClassAt(text, position, out int next);
        int end = CasedWord(text, position, kind, next);
        if (end > position)
        {
            if (!contractions || end == text.Length || text[end] != '\'') return end;
            return Contraction(text, end, caseMask: 0x20);
        }

        if ((kind & Number) != 0) return DigitRun(text, position, digits);
        int body = first == ' ' ? position + 1 : position;
        if (body < text.Length && (CodePoints.ClassAt(text, body, out next) & (Space | Letter | Number)) == 0)
        {
            end = CodePoints.RunOutside(text, next, Space | Letter | Number);
            while (end < text.Length && text[end] is (byte)'\r' or (byte)'\n' or (byte)'/') end++;
            return end;
        }

        return SpaceOrNewlines(text, position);
    }

    /// <summary>
    /// Lead? Upper* Lower+, or else Lead? Upper+ Lower*, where a lead is anything but a letter, a number or a line end: what a backtracking
    /// matcher finds, which tries each with the lead before it tries without.
    /// </summary>
    private static int CasedWord(ReadOnlySpan<byte> text, int position, CharacterClass kind, int next)
    {
        bool mayLead = (kind & (Letter | Number)) == 0 && text[position] is not ((byte)'\r' or (byte)'\n') && next < text.Length;
        if (mayLead)
        {
            int end = LowerEnd(text, next);
            if (end > 0) return end;
        }

        if ((kind & (Upper | Lower)) != 0)
        {
            int end = LowerEnd(text, position);
            if (end > 0) return end;
        }

        if (mayLead)
        {
            int end = CodePoints.Run(text, next, Upper);
            if (end > next) return end;
        }

        return CodePoints.Run(text, position, Upper);
    }

    /// <summary>The end of Upper* Lower+, or 0 where it does not match: Upper* gives back as little as it must.</summary>
    private static int LowerEnd(ReadOnlySpan<byte> text, int position)
    {
        int lastLowerEnd = 0;
        while (position < text.Length)
        {
            CharacterClass kind = CodePoints.ClassAt(text, position, out int next);
            if ((kind & Upper) == 0) return (kind & Lower) != 0 ? CodePoints.Run(text, next, Lower) : lastLowerEnd;
            if ((kind & Lower) != 0) lastLowerEnd = next;
            position = next;
        }

        return lastLowerEnd;
    }

    private static int DigitRun(ReadOnlySpan<byte> text, int position, int most)
    {
        for (int count = 0; count < most && position < text.Length; count++)
        {
            if ((CodePoints.ClassAt(text, position, out int next) & Number) == 0) break;
            position = next;
        }

        return position;
    }

    /// <summary>\s*[\r\n]+|\s+(?!\S)|\s+</summary>
    internal static int SpaceOrNewlines(ReadOnlySpan<byte> text, int position)
    {
        int end = CodePoints.Run(text, position, Space);
        int newline = text[position..end].LastIndexOfAny((byte)'\r', (byte)'\n');
        return newline >= 0 ? position + newline + 1 : SpaceBeforeWord(text, end, position);
    }

    /// <summary>\s+(?!\S)|\s+ where the white space ends at <paramref name="end"/>: all but the last character, which belongs to the word that follows.</summary>
    private static int SpaceBeforeWord(ReadOnlySpan<byte> text, int end, int position)
    {
        if (end == text.Length || end == position) return end;
        int last = CodePoints.Previous(text, end);
        return last > position ? last : end;
    }

    /// <summary>The end of 's, 't, 're, 've, 'm, 'll or 'd at an apostrophe, or its position; upper case passes with a mask of 0x20.</summary>
    private static int Contraction(ReadOnlySpan<byte> text, int position, byte caseMask)
    {
        if (position + 1 >= text.Length) return position;
        int first = text[position + 1] | caseMask;
        if (first is 's' or 't' or 'm' or 'd') return position + 2;
        if (position + 2 >= text.Length) return position;
        int second = text[position + 2] | caseMask;
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? position + 3 : position;
    }
}
