using Quern.Text.Search;

namespace Quern.Text.Models;

/// <summary>
/// The longest token from the left, byte by byte, whatever the words are; tokens are written with escapes. Source: Peng et al. 2024, arXiv 2404.05892, section 5 (RWKV World tokenizer).
/// </summary>
internal sealed class LongestMatchTokenizer : Tokenizer
{
    private readonly ByteTrie _trie = new();

    public LongestMatchTokenizer(Vocabulary vocabulary)
        : base(vocabulary, TokenSpelling.Escaped)
    {
        for (int id = 0; id < Count; id++)
            if (vocabulary.Types[id] == TokenType.Normal) _trie.Add(Piece(id), id);
        if (vocabulary.Unk is not null) return;
        for (int value = 0; value <= byte.MaxValue; value++)
        {
            int node = _trie.Child(0, (byte)value);
            if (node == ByteTrie.None || _trie.Value(node) == ByteTrie.None)
                throw new InvalidDataException($"tokenizer.ggml.tokens has no token for the byte 0x{value:X2}, and unknown_token_id is not set; tokenizer.ggml.model 'rwkv' needs one of them");
        }
    }

    private protected override void EncodeText(ReadOnlySpan<byte> text, List<int> ids, bool afterSpecial)
    {
        while (!text.IsEmpty)
        {
            int longest = ByteTrie.None, length = 1, node = 0;
            for (int i = 0; i < text.Length && (node = _trie.Child(node, text[i])) != ByteTrie.None; i++)
                if (_trie.Value(node) != ByteTrie.None) (longest, length) = (_trie.Value(node), i + 1);
            ids.Add(longest == ByteTrie.None ? Vocabulary.Unk!.Value : longest);
            text = text[length..];
        }
    }
}
