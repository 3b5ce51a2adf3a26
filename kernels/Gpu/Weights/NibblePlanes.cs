namespace Quern.Kernels.Gpu.Weights;

/// <summary>
/// The two orders in which a block's 32 nibbles lie in 16 bytes.
/// <list type="bullet">
/// <item>Halves: byte i has value i in its low nibble and value 16 + i in its high one, as Q4_0 stores them: two masks give eight words of four bytes.</item>
/// <item>Runs: word w has values 8w…8w + 7 in its nibbles from the lowest up: sixteen bits of it select four bytes of a codebook at once.</item>
/// </list>
/// </summary>
internal static unsafe class NibblePlanes
{
    private const uint Low = 0x0f0f0f0f;

    /// <summary>The codes of nibbles in halves.</summary>
    public static BlockCodes Halves(Uint4 q)
    {
        return new BlockCodes
        {
            C0 = q.X & Low,
            C1 = q.Y & Low,
            C2 = q.Z & Low,
            C3 = q.W & Low,
            C4 = (q.X >> 4) & Low,
            C5 = (q.Y >> 4) & Low,
            C6 = (q.Z >> 4) & Low,
            C7 = (q.W >> 4) & Low,
        };
    }

    /// <summary>The codes of nibbles in runs, looked up in a codebook of sixteen signed bytes, four words.</summary>
    public static BlockCodes Runs(Uint4 q, uint book0, uint book1, uint book2, uint book3)
    {
        return new BlockCodes
        {
            C0 = Look(q.X, book0, book1, book2, book3),
            C1 = Look(q.X >> 16, book0, book1, book2, book3),
            C2 = Look(q.Y, book0, book1, book2, book3),
            C3 = Look(q.Y >> 16, book0, book1, book2, book3),
            C4 = Look(q.Z, book0, book1, book2, book3),
            C5 = Look(q.Z >> 16, book0, book1, book2, book3),
            C6 = Look(q.W, book0, book1, book2, book3),
            C7 = Look(q.W >> 16, book0, book1, book2, book3),
        };
    }

    /// <summary>Lays 32 codes of 4 bits in halves.</summary>
    public static void LayHalves(ReadOnlySpan<byte> codes, byte* destination)
    {
        for (int i = 0; i < 16; i++) destination[i] = (byte)((codes[i] & 15) | (codes[16 + i] << 4));
    }

    /// <summary>Lays 32 codes of 4 bits in runs.</summary>
    public static void LayRuns(ReadOnlySpan<byte> codes, byte* destination)
    {
        for (int i = 0; i < 16; i++) destination[i] = (byte)((codes[2 * i] & 15) | (codes[(2 * i) + 1] << 4));
    }

    /// <summary>Takes 32 codes out of the 16 bytes of a stored block: value i in the low nibble of byte i, 16 + i in the high one.</summary>
    public static void Stored(byte* packed, Span<byte> codes)
    {
        for (int i = 0; i < 16; i++) (codes[i], codes[16 + i]) = ((byte)(packed[i] & 15), (byte)(packed[i] >> 4));
    }

    // Two look-ups by the lower three bits of each nibble, then one by the fourth.
    private static uint Look(uint nibbles, uint book0, uint book1, uint book2, uint book3)
    {
        uint lower = nibbles & 0x7777;
        return Lane.Pick(Lane.Pick(book0, book1, lower), Lane.Pick(book2, book3, lower), 0x3210 | ((nibbles & 0x8888) >> 1));
    }
}
