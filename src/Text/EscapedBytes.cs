using System.Globalization;
using System.Text;

namespace Quern.Text;

/// <summary>
/// Bytes as Python writes them between quotes: <c>\t</c>, <c>\n</c>, <c>\r</c>, <c>\xe4</c>, and a backslash before any other character that stands for itself.
/// Source: Python language reference, 2.5.1; llama.cpp, llama_unescape_rwkv_token.
/// </summary>
internal static class EscapedBytes
{
    /// <summary>The bytes that a token's text spells. What is no escape stands for itself.</summary>
    public static byte[] Decode(string text)
    {
        ReadOnlySpan<byte> utf8 = Encoding.UTF8.GetBytes(text);
        List<byte> bytes = new(utf8.Length);
        for (int i = 0; i < utf8.Length; i++)
        {
            if (utf8[i] != '\\' || i == utf8.Length - 1)
            {
                bytes.Add(utf8[i]);
                continue;
            }

            byte escaped = utf8[++i];
            if (escaped == 'x' && i + 2 < utf8.Length && byte.TryParse(utf8.Slice(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
            {
                bytes.Add(value);
                i += 2;
                continue;
            }

            bytes.Add(escaped switch { (byte)'t' => (byte)'\t', (byte)'n' => (byte)'\n', (byte)'r' => (byte)'\r', _ => escaped });
        }

        return [.. bytes];
    }
}
