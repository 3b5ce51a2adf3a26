using ILGPU;

namespace Quern.Kernels.Gpu.Experts;

/// <summary>Where pairs of tokens and experts lie, those of one expert together, for products of its weights with many of its tokens at once. The default is nowhere.</summary>
internal readonly struct SortedPairs(long order, long tiles)
{
    /// <summary>Byte offset of the numbers of the pairs, [pairs], those of the first expert first.</summary>
    public readonly long Order = order;

    /// <summary>Byte offset of [tiles, 4] numbers: an expert, the first of its places in <see cref="Order"/>, and the one behind the last; these two are equal where there is nothing to do.</summary>
    public readonly long Tiles = tiles;

    /// <summary>1; 0 of the default.</summary>
    public readonly int Are = 1;

    /// <summary>Most tiles of up to 2^<paramref name="tileBits"/> pairs that there can be: every expert may have one that is not full.</summary>
    public static int MostTiles(int pairs, int experts, int tileBits) => Math.Min(pairs, (pairs >> tileBits) + experts);
}

/// <summary>Arguments of <see cref="SortPairs"/>.</summary>
internal readonly struct SortArguments(long chosen, int pairs, int experts, int tileBits, int tiles, SortedPairs sorted)
{
    /// <summary>Byte offset of the expert of each pair.</summary>
    public readonly long Chosen = chosen;
    public readonly int Pairs = pairs;
    public readonly int Experts = experts;

    /// <summary>Pairs of a tile: a power of two.</summary>
    public readonly int TileBits = tileBits;

    /// <summary>Tiles to write; those behind the last pair are empty.</summary>
    public readonly int Tiles = tiles;
    public readonly SortedPairs Sorted = sorted;
}

/// <summary>
/// Sorts pairs by expert and divides each expert's into tiles. How many tiles there are only the card knows: products are launched for as many as there can be. One group.
/// Source: Cormen et al., "Introduction to Algorithms", counting sort; Gale et al. 2022, arXiv 2211.15841 (products of groups of unequal size).
/// </summary>
internal static class SortPairs
{
    /// <summary>Threads of the group on a card.</summary>
    public const int Threads = 1024;

    /// <param name="memory">The arena.</param>
    /// <param name="a">Pairs, and where to.</param>
    public static void Kernel(DeviceMemory memory, SortArguments a)
    {
        ArrayView<int> places = SharedMemory.Allocate<int>(RouteTokens.MostExperts), used = SharedMemory.Allocate<int>(1);
        ArrayView<int> ints = memory.Ints;
        long chosen = a.Chosen >> 2;
        for (int e = Group.IdxX; e < a.Experts; e += Group.DimX) places[e] = 0;
        Group.Barrier();
        for (int pair = Group.IdxX; pair < a.Pairs; pair += Group.DimX) Atomic.Add(ref places[ints[chosen + pair]], 1);
        Group.Barrier();
        if (Group.IdxX < GpuDevice.WarpThreads) Divide(memory, a, places, used);
        Group.Barrier();
        for (int tile = used[0] + Group.IdxX; tile < a.Tiles; tile += Group.DimX) Put(memory, a, tile, 0, 0, 0);
        for (int pair = Group.IdxX; pair < a.Pairs; pair += Group.DimX) ints[(a.Sorted.Order >> 2) + Atomic.Add(ref places[ints[chosen + pair]], 1)] = pair;
    }

    // Counts become first places; a warp, a lane an expert.
    private static void Divide(DeviceMemory memory, SortArguments a, ArrayView<int> places, ArrayView<int> used)
    {
        int lane = Group.IdxX, pairs = 0, tiles = 0;
        for (int first = 0; first < a.Experts; first += GpuDevice.WarpThreads)
        {
            int expert = first + lane, count = expert < a.Experts ? places[expert] : 0, own = (count + (1 << a.TileBits) - 1) >> a.TileBits;
            int pairsUpTo = Lane.WarpSumUpTo(count), tilesUpTo = Lane.WarpSumUpTo(own), place = pairs + pairsUpTo - count, tile = tiles + tilesUpTo - own;
            if (expert < a.Experts) places[expert] = place;
            for (int i = 0; i < own; i++) Put(memory, a, tile + i, expert, place + (i << a.TileBits), IntrinsicMath.Min(place + ((i + 1) << a.TileBits), place + count));
            pairs += Lane.Of(pairsUpTo, GpuDevice.WarpThreads - 1);
            tiles += Lane.Of(tilesUpTo, GpuDevice.WarpThreads - 1);
        }

        if (lane == 0) used[0] = tiles;
    }

    private static void Put(DeviceMemory memory, SortArguments a, int tile, int expert, int first, int end) =>
        memory.Bytes.Cast<Uint4>()[(a.Sorted.Tiles >> 4) + tile] = new Uint4 { X = (uint)expert, Y = (uint)first, Z = (uint)end };
}
