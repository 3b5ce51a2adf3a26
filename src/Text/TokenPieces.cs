using System.Globalization;
using System.Text;

namespace Quern.Text;

/// <summary>The bytes that each token stands for in a text, side by side in one array.</summary>
internal sealed class TokenPieces
{
    private readonly byte[] _bytes;
    private readonly int[] _offsets;
    private readonly bool[] _hidden;

    /// <param name="vocabulary">Tokens and their types.</param>
    /// <param name="spelling">How normal tokens are written.</param>
    public TokenPieces(Vocabulary vocabulary, TokenSpelling spelling)
    {
        _offsets = new int[vocabulary.Count + 1];
        _hidden = new bool[vocabulary.Count];
        using MemoryStream bytes = new(8 * vocabulary.Count);
        for (int id = 0; id < vocabulary.Count; id++)
        {
            bytes.Write(Render(vocabulary.Tokens[id], vocabulary.Types[id], spelling));
            _offsets[id + 1] = (int)bytes.Length;
            _hidden[id] = vocabulary.Types[id] is TokenType.Control or TokenType.Unknown;
        }

        _bytes = bytes.ToArray();
    }

    /// <summary>The bytes of a token; none for a control token or the unknown token unless <paramref name="renderSpecial"/>.</summary>
    public ReadOnlySpan<byte> this[int id, bool renderSpecial] =>
        _hidden[id] && !renderSpecial ? [] : _bytes.AsSpan(_offsets[id], _offsets[id + 1] - _offsets[id]);

    /// <summary>True for a token that is no text.</summary>
    public bool IsSpecial(int id) => _hidden[id];

    /// <summary>The byte that a token of type <see cref="TokenType.Byte"/> stands for, or -1 where its text is not of the form &lt;0x0A&gt;.</summary>
    public static int ByteOf(string text) =>
        text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal) && text[5] == '>'
            && byte.TryParse(text.AsSpan(3, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out byte value) ? value : -1;

    private static ReadOnlySpan<byte> Render(string text, TokenType type, TokenSpelling spelling)
    {
        switch (type)
        {
            case TokenType.Control or TokenType.Unknown or TokenType.UserDefined:
                return Encoding.UTF8.GetBytes(text);
            case TokenType.Byte:
                return ByteOf(text) is >= 0 and int value ? new byte[] { (byte)value } : Encoding.UTF8.GetBytes(text);
            case TokenType.Normal when spelling == TokenSpelling.Escaped:
                return EscapedBytes.Decode(text);
            case TokenType.Normal when spelling == TokenSpelling.ByteLevel:
                byte[] bytes = new byte[text.Length];
                return ByteAlphabet.TryDecode(text, bytes, out int count) ? bytes.AsSpan(0, count) : Encoding.UTF8.GetBytes(text);
            case TokenType.Normal:
                return Encoding.UTF8.GetBytes(text.Replace('\u2581', ' '));
            default:
                return [];
        }
    }
}
