using System.Text;

namespace Quern.Text;

/// <summary>
/// The alphabet in which byte-level vocabularies are written: every byte is a printable character, those that are not printable in Latin-1
/// being moved to U+0100 and up, in their order (so that a space is Ġ and a line end Ċ). Source: bytes_to_unicode in encoder.py of gpt-2.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly short[] Bytes = MakeBytes();

    /// <summary>Writes the bytes that a token's text spells; false where it has a character that is not of the alphabet.</summary>
    public static bool TryDecode(ReadOnlySpan<char> text, Span<byte> bytes, out int count)
    {
        count = 0;
        foreach (char c in text)
        {
            if (c >= Bytes.Length || Bytes[c] < 0) return false;
            bytes[count++] = (byte)Bytes[c];
        }

        return true;
    }

    /// <summary>The text that spells these bytes.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new(bytes.Length);
        foreach (byte b in bytes) text.Append((char)Array.IndexOf(Bytes, (short)b));
        return text.ToString();
    }

    private static bool IsPrintable(int b) => b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);

    private static short[] MakeBytes()
    {
        short[] bytes = new short[256 + 68];
        Array.Fill(bytes, (short)-1);
        int moved = 256;
        for (int b = 0; b < 256; b++) bytes[IsPrintable(b) ? b : moved++] = (short)b;
        return bytes;
    }
}
