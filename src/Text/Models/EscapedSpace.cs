namespace Quern.Text.Models;

/// <summary>The space as SentencePiece writes it, ▁ (U+2581).</summary>
internal static class EscapedSpace
{
    public const char Character = '\u2581';

    public static ReadOnlySpan<byte> Utf8 => "▁"u8;

    /// <summary>True where no ▁ follows another character.</summary>
    public static bool IsOnlyAtStart(string token) => !token.AsSpan().TrimStart(Character).Contains(Character);

    /// <summary>The length of a text once its spaces are escaped.</summary>
    public static int MostBytes(ReadOnlySpan<byte> text, bool prefixed) => checked(text.Length + ((text.Count((byte)' ') * 2) + (prefixed ? 3 : 0)));

    /// <summary>Writes a text with its spaces escaped, and one more before it if <paramref name="prefixed"/>. Returns the length.</summary>
    public static int Write(ReadOnlySpan<byte> text, bool prefixed, Span<byte> destination)
    {
        int length = 0;
        if (prefixed)
        {
            Utf8.CopyTo(destination);
            length = Utf8.Length;
        }

        while (true)
        {
            int space = text.IndexOf((byte)' ');
            ReadOnlySpan<byte> plain = space < 0 ? text : text[..space];
            plain.CopyTo(destination[length..]);
            length += plain.Length;
            if (space < 0) return length;
            Utf8.CopyTo(destination[length..]);
            length += Utf8.Length;
            text = text[(space + 1)..];
        }
    }

    /// <summary>The length of the first word of an escaped text: leading ▁, and all up to the next.</summary>
    public static int WordLength(ReadOnlySpan<byte> text)
    {
        int position = 0;
        while (text[position..].StartsWith(Utf8)) position += Utf8.Length;

        // Most text has no other character that begins with the same byte, and one byte is found faster than three.
        while (true)
        {
            int next = text[position..].IndexOf(Utf8[0]);
            if (next < 0) return text.Length;
            position += next;
            if (text[position..].StartsWith(Utf8)) return position;
            position++;
        }
    }
}
