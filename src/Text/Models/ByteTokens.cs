using Quern.Text.Search;

namespace Quern.Text.Models;

/// <summary>The tokens of single bytes, &lt;0x00&gt; to &lt;0xFF&gt;, which spell what no other token spells.</summary>
internal static class ByteTokens
{
    /// <summary>[256] The token of each byte, or of the character where the vocabulary has no byte tokens, or -1.</summary>
    public static int[] Find(Vocabulary vocabulary, TokenIndex index)
    {
        int[] ids = new int[256];
        for (int b = 0; b < ids.Length; b++) ids[b] = b < 0x80 ? index.Find([(byte)b]) : -1;
        for (int id = 0; id < vocabulary.Count; id++)
        {
            if (TokenPieces.ByteOf(vocabulary.Tokens[id]) is >= 0 and int value) ids[value] = id;
        }

        return ids;
    }

    /// <summary>Appends the tokens of bytes, and the unknown token for one that has none.</summary>
    public static void Append(ReadOnlySpan<byte> bytes, int[] byteIds, int? unknown, List<int> ids)
    {
        foreach (byte b in bytes)
        {
            if (byteIds[b] >= 0) ids.Add(byteIds[b]);
            else if (unknown is { } id) ids.Add(id);
        }
    }
}
