using System.Text;
using Quern.Text.Search;

namespace Quern.Text.Models;

/// <summary>
/// The symbols of a byte-pair vocabulary and their merges. Symbols are the tokens, and after them, with ids beyond the vocabulary, bytes
/// and results of merges that are no token: such merges take place all the same, and their result is spelled in bytes at the end.
/// </summary>
internal sealed class BytePairSymbols
{
    private readonly bool _plain;
    private readonly byte[] _buffer;
    private int _symbolCount;

    /// <param name="vocabulary">Tokens and merges.</param>
    /// <param name="plain">Tokens are plain text; otherwise they are written in the <see cref="ByteAlphabet"/>.</param>
    public BytePairSymbols(Vocabulary vocabulary, bool plain)
    {
        _plain = plain;
        _symbolCount = vocabulary.Count;
        int longest = Math.Max(vocabulary.Tokens.Max(t => t.Length), vocabulary.Merges.Count == 0 ? 0 : vocabulary.Merges.Max(m => m.Length));
        _buffer = new byte[3 * longest];
        Index = new TokenIndex(vocabulary.Count + 256);
        for (int id = 0; id < vocabulary.Count; id++)
        {
            if (TryBytes(vocabulary.Tokens[id], 0, out int length)) Index.Add(_buffer.AsSpan(0, length), id);
        }

        for (int b = 0; !plain && b < 256; b++) Symbol([(byte)b]);
        Pairs = new PairTable(vocabulary.Merges.Count);
        for (int rank = 0; rank < vocabulary.Merges.Count; rank++) AddMerge(vocabulary.Merges[rank], rank);
    }

    public TokenIndex Index { get; }

    public PairTable Pairs { get; }

    private void AddMerge(string merge, int rank)
    {
        // A symbol may begin with a space, so the one that separates is looked for behind the first character.
        int space = merge.IndexOf(' ', Math.Min(1, merge.Length));
        if (space < 0) throw new InvalidDataException($"tokenizer.ggml.merges[{rank}] is '{merge}', which should be two symbols with a space between");
        if (!TryBytes(merge.AsSpan(0, space), 0, out int left) || !TryBytes(merge.AsSpan(space + 1), left, out int right)) return;
        ReadOnlySpan<byte> merged = _buffer.AsSpan(0, left + right);
        Pairs.Add(Symbol(merged[..left]), Symbol(merged[left..]), rank, Symbol(merged));
    }

    private int Symbol(ReadOnlySpan<byte> bytes)
    {
        int id = Index.Find(bytes);
        if (id >= 0) return id;
        Index.Add(bytes, _symbolCount);
        return _symbolCount++;
    }

    private bool TryBytes(ReadOnlySpan<char> text, int offset, out int length)
    {
        if (!_plain) return ByteAlphabet.TryDecode(text, _buffer.AsSpan(offset), out length);
        length = Encoding.UTF8.GetBytes(text, _buffer.AsSpan(offset));
        return true;
    }
}
