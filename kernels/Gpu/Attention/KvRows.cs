using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>
/// Where the keys, or the values, of a layer lie, for kernels. A page has, head by head, <c>[32 tokens]</c> rows of codes, each padded to 8 values, and behind them, of types of blocks,
/// <c>[32 tokens][length / 32]</c> binary16 scales. A token's row is read in pieces of 8 values.
/// </summary>
/// <param name="offset">Byte offset of the first head in page 0.</param>
/// <param name="pageBytes">Bytes from page to page.</param>
/// <param name="type">How numbers are stored.</param>
/// <param name="length">Values of a head.</param>
internal readonly struct KvRows(long offset, long pageBytes, KvType type, int length)
{
    public readonly long Offset = offset;
    public readonly long PageBytes = pageBytes;
    public readonly int HeadBytes = BytesOfHead(type, length);
    public readonly int RowBytes = BytesOfRow(type, length);
    public readonly int Length = length;

    /// <summary>Pieces of 8 values in a row.</summary>
    public readonly int Pieces = (length + 7) >> 3;

    /// <summary>Byte offset of a head in a page.</summary>
    public long Head(int page, int head) => Offset + (page * PageBytes) + (uint)(head * HeadBytes);

    /// <summary>Byte offset of a token's row.</summary>
    public long Row(long head, int token) => head + Row(token);

    /// <summary>The same from the head on.</summary>
    public uint Row(int token) => (uint)(token * RowBytes);

    /// <summary>Byte offset of the scale of a block of 32 values.</summary>
    public long Scale(long head, int token, int block) => head + (uint)((KvLayout.PageTokens * RowBytes) + (block * 2) + (token * (Length >> 5 << 1)));

    /// <summary>Bytes of a head in a page, a multiple of 16.</summary>
    public static int BytesOfHead(KvType type, int length) => KvLayout.PageTokens * (BytesOfRow(type, length) + (IsOfBlocks(type) ? length / 32 * 2 : 0));

    /// <summary>Whether a type stores blocks of 32 values.</summary>
    public static bool IsOfBlocks(KvType type) => type is KvType.Q8_0 or KvType.Q4_0;

    private static int BytesOfRow(KvType type, int length)
    {
        int padded = (length + 7) & -8;
        return type switch { KvType.F32 => 4 * padded, KvType.F16 or KvType.BF16 => 2 * padded, KvType.Q8_0 => length, _ => length / 2 };
    }
}
