using System.Buffers;
using System.Text;
using Quern.Text.Search;
using Quern.Text.Unicode;

namespace Quern.Text.Models;

/// <summary>
/// The normaliser of SentencePiece: characters are replaced by the vocabulary's charsmap, spaces become ▁, runs of them one ▁ if the
/// vocabulary asks, and a ▁ is put before the first word. User-defined tokens are left as they are.
/// </summary>
internal sealed class UnigramNormalizer
{
    private readonly bool _addSpacePrefix;
    private readonly bool _mergeSpaces;
    private readonly ByteTrie _userDefined = new();
    private readonly Charsmap? _charsmap;

    public UnigramNormalizer(Vocabulary vocabulary)
    {
        _addSpacePrefix = vocabulary.AddSpacePrefix;
        _mergeSpaces = vocabulary.RemoveExtraWhitespaces;
        for (int id = 0; id < vocabulary.Count; id++)
        {
            if (vocabulary.Types[id] is TokenType.UserDefined) _userDefined.Add(Encoding.UTF8.GetBytes(vocabulary.Tokens[id]), id);
        }

        if (!vocabulary.PrecompiledCharsmap.IsEmpty) _charsmap = new Charsmap(vocabulary.PrecompiledCharsmap);
    }

    /// <summary>The normalised text in an array of <see cref="ArrayPool{T}.Shared"/>, which the caller returns.</summary>
    public byte[] Normalize(ReadOnlySpan<byte> text, out int length)
    {
        Output output = new(text.Length + 16);
        bool inWord = false;
        bool prefixPending = _addSpacePrefix;
        for (int position = 0; position < text.Length;)
        {
            ReadOnlySpan<byte> replacement = NormalizePrefix(text[position..], out int consumed);
            position += consumed;
            foreach (byte b in replacement)
            {
                if (b == ' ')
                {
                    inWord = false;
                    if (!_mergeSpaces) output.Append(EscapedSpace.Utf8);
                    continue;
                }

                if (!inWord && (_mergeSpaces || prefixPending))
                {
                    output.Append(EscapedSpace.Utf8);
                    prefixPending = false;
                }

                inWord = true;
                output.Append([b]);
            }
        }

        length = output.Length;
        return output.Bytes;
    }

    private ReadOnlySpan<byte> NormalizePrefix(ReadOnlySpan<byte> text, out int consumed)
    {
        int node = 0;
        consumed = 0;
        for (int i = 0; i < text.Length && (node = _userDefined.Child(node, text[i])) != ByteTrie.None; i++)
        {
            if (_userDefined.Value(node) != ByteTrie.None) consumed = i + 1;
        }

        if (consumed > 0) return text[..consumed];
        if (_charsmap is not null && _charsmap.TryReplace(text, out consumed, out ReadOnlySpan<byte> replacement)) return replacement;
        consumed = CodePoints.Length(text[0]);
        return text[..consumed];
    }

    private struct Output(int capacity)
    {
        public byte[] Bytes { get; private set; } = ArrayPool<byte>.Shared.Rent(capacity);

        public int Length { get; private set; }

        public void Append(ReadOnlySpan<byte> added)
        {
            if (Length + added.Length > Bytes.Length)
            {
                byte[] larger = ArrayPool<byte>.Shared.Rent(2 * Bytes.Length);
                Bytes.AsSpan(0, Length).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(Bytes);
                Bytes = larger;
            }

            added.CopyTo(Bytes.AsSpan(Length));
            Length += added.Length;
        }
    }
}
