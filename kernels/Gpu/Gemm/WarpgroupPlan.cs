namespace Quern.Kernels.Gpu.Gemm;

/// <summary>
/// How a product is divided into groups, of which a multiprocessor does one after the other: as many rows as fill all multiprocessors in whole turns by the largest tiles of tokens, and a
/// second launch for the rest where that takes less time.
/// </summary>
internal readonly struct WarpgroupPlan
{
    /// <summary>What a group costs beyond its tokens (decoding, beginning and end), and a second launch, in tokens.</summary>
    private const int GroupCost = 64, LaunchCost = 16;

    /// <param name="tokens">Tokens.</param>
    /// <param name="rows">Rows of the weights.</param>
    /// <param name="multiprocessors">Of the card.</param>
    public WarpgroupPlan(int tokens, int rows, int multiprocessors)
    {
        (Tiles, int cost) = Best(tokens, rows, multiprocessors);
        (Rows, RestTiles) = (rows, Tiles);
        int across = Groups(tokens, 256), turns = across * Groups(rows, WarpgroupGemm.Rows) / multiprocessors, whole = turns * multiprocessors / across * WarpgroupGemm.Rows;
        if (whole == 0 || whole >= rows) return;
        (int restTiles, int restCost) = Best(tokens, rows - whole, multiprocessors);
        if ((turns * (256 + GroupCost)) + restCost + LaunchCost < cost) (Tiles, Rows, RestTiles) = (8, whole, restTiles);
    }

    /// <summary>Tokens of a group over 32: 8, 4 or 2.</summary>
    public int Tiles { get; }

    /// <summary>How many rows; all, or less.</summary>
    public int Rows { get; }

    /// <summary>The same as <see cref="Tiles"/>, of the rest.</summary>
    public int RestTiles { get; }

    private static (int Tiles, int Cost) Best(int tokens, int rows, int multiprocessors)
    {
        (int Tiles, int Cost) best = (8, int.MaxValue);
        for (int tiles = 8; tiles >= 2; tiles /= 2)
        {
            int cost = Groups(Groups(rows, WarpgroupGemm.Rows) * Groups(tokens, 32 * tiles), multiprocessors) * ((32 * tiles) + GroupCost);
            if (cost < best.Cost) best = (tiles, cost);
        }

        return best;
    }

    private static int Groups(int items, int each) => (items + each - 1) / each;
}
