using System.Text;

namespace Quern.Text;

/// <summary>
/// Turns tokens into text one at a time. A character whose bytes are spread over several tokens appears when it is complete; bytes that
/// can be no character become U+FFFD, one for each maximal part (The Unicode Standard, chapter 3.9). Not for use by several threads at a time.
/// </summary>
public sealed class Detokenizer
{
    private readonly Tokenizer _tokenizer;
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly bool _renderSpecial;
    private readonly bool _removeLeadingSpace;
    private bool _atStart = true;
    private char[] _text = new char[64];

    internal Detokenizer(Tokenizer tokenizer, bool renderSpecial, bool removeLeadingSpace)
    {
        _tokenizer = tokenizer;
        _renderSpecial = renderSpecial;
        _removeLeadingSpace = removeLeadingSpace;
    }

    /// <summary>Takes a token and gives the text that it completes, which may be none.</summary>
    /// <returns>Valid until the next call.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The id is not of the vocabulary.</exception>
    public ReadOnlySpan<char> Append(int id)
    {
        ReadOnlySpan<byte> piece = _tokenizer.Piece(id, _renderSpecial);

        // The space that encoding puts before a text goes where its first token of text is; control tokens before it, such as BOS, do not count.
        if (_atStart && !_tokenizer.IsSpecial(id))
        {
            _atStart = false;
            if (_removeLeadingSpace && piece.Length > 0 && piece[0] == ' ') piece = piece[1..];
        }

        return Convert(piece, flush: false);
    }

    /// <summary>Ends the text: what is left of an incomplete character becomes U+FFFD. The detokenizer then begins a new text.</summary>
    /// <returns>Valid until the next call.</returns>
    public ReadOnlySpan<char> Flush()
    {
        _atStart = true;
        return Convert([], flush: true);
    }

    private ReadOnlySpan<char> Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        // A byte completes at most two units: the replacement of what was held back, and its own character.
        int most = (2 * bytes.Length) + 4;
        if (_text.Length < most) _text = new char[most];
        return _text.AsSpan(0, _decoder.GetChars(bytes, _text, flush));
    }
}
