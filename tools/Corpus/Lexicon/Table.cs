namespace Quern.Corpus.Lexicon;

/// <summary>Tables of words in a form that is easy to read and to extend.</summary>
internal static class Table
{
    /// <summary>The entries of a table: separated by commas or line ends.</summary>
    public static string[] Of(string words) => words.Split([',', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
