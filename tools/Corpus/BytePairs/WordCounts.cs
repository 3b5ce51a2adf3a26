using Quern.Text.PreTokenizers;

namespace Quern.Corpus.BytePairs;

/// <summary>Counts the words of texts, split as the tokenizer of the same pre-tokenizer splits them.</summary>
internal sealed class WordCounts : IPieceSink
{
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private readonly IPieceSink _split;

    /// <param name="preTokenizer">The name in <see cref="PreTokenizerTable"/>.</param>
    public WordCounts(string preTokenizer)
    {
        _bySpan = _counts.GetAlternateLookup<ReadOnlySpan<char>>();
        _split = PreTokenizerTable.Find(preTokenizer).Before(this);
    }

    /// <summary>The words with their counts; a character of a word is one of its bytes.</summary>
    public IReadOnlyDictionary<string, long> Counts => _counts;

    /// <summary>Counts the words of a text without special tokens.</summary>
    public void Add(string text) => _split.Accept(System.Text.Encoding.UTF8.GetBytes(text), []);

    void IPieceSink.Accept(ReadOnlySpan<byte> piece, List<int> ids)
    {
        Span<char> word = piece.Length <= 256 ? stackalloc char[piece.Length] : new char[piece.Length];
        System.Text.Encoding.Latin1.GetChars(piece, word);
        _bySpan.TryGetValue(word, out long count);
        _bySpan[word] = count + 1;
    }
}
