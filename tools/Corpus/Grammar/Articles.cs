using System.Text;

namespace Quern.Corpus.Grammar;

/// <summary>Chooses between "a" and "an" by the sound of the word that follows, which is known only when all choices are made.</summary>
internal static class Articles
{
    /// <summary>Stands for "a" or "an" in text that is not finished.</summary>
    public const char Open = '\u0001';

    /// <summary>Stands for "A" or "An".</summary>
    public const char OpenCapital = '\u0002';

    // Words that are written with a vowel and spoken with a consonant.
    private static readonly string[] Consonants = ["one", "once", "unicorn", "useful", "uniform", "ukulele"];

    // Words that are written with a consonant and spoken with a vowel.
    private static readonly string[] Vowels = ["hour", "honest", "honour"];

    /// <summary>"a" or "an" for a word.</summary>
    public static string For(ReadOnlySpan<char> word) => TakesAn(word) ? "an" : "a";

    /// <summary>True where the word begins with a vowel's sound.</summary>
    public static bool TakesAn(ReadOnlySpan<char> word)
    {
        if (word.IsEmpty) return false;
        foreach (string vowel in Vowels)
            if (word.StartsWith(vowel, StringComparison.OrdinalIgnoreCase)) return true;
        foreach (string consonant in Consonants)
            if (word.StartsWith(consonant, StringComparison.OrdinalIgnoreCase)) return false;
        return "aeiouAEIOU".Contains(word[0], StringComparison.Ordinal);
    }

    /// <summary>Puts the right article for every mark from <paramref name="start"/> on.</summary>
    public static void Close(StringBuilder text, int start)
    {
        Span<char> word = stackalloc char[8];
        for (int i = start; i < text.Length; i++)
        {
            char mark = text[i];
            if (mark is not (Open or OpenCapital)) continue;
            int length = 0;
            for (int j = i + 2; j < text.Length && length < word.Length && char.IsAsciiLetter(text[j]); j++) word[length++] = text[j];
            text[i] = mark == Open ? 'a' : 'A';
            if (TakesAn(word[..length])) text.Insert(i + 1, 'n');
        }
    }
}
