using ILGPU;
using Quern.Kernels.Gpu.Experts;

namespace Quern.Kernels.Gpu.Gemm;

/// <summary>In which order a row of bfloat16 holds the activations.</summary>
internal enum ActivationOrder
{
    /// <summary>As they come.</summary>
    Plain,

    /// <summary>For fragments of 16 whose quarters, of 4 each, are taken from four blocks of 32 one after the other.</summary>
    Blocks,

    /// <summary>For fragments of 16 whose quarters, of 4 each, are taken from four times 8 neighbours.</summary>
    Eights,
}

/// <summary>Arguments of <see cref="NarrowActivations"/>.</summary>
internal readonly struct NarrowArguments(DeviceTensor x, int width, long y, ActivationOrder order, SortedPairs pairs = default, int pairsOfRow = 1)
{
    public readonly DeviceTensor X = x;

    /// <summary>Values of a row of the result, a multiple of 128 in the orders that are not plain; those behind the columns are zero.</summary>
    public readonly int Width = width;

    /// <summary>Byte offset of [tokens, width] bfloat16.</summary>
    public readonly long Y = y;

    /// <summary>Which column comes where: an <see cref="ActivationOrder"/>.</summary>
    public readonly int Order = (int)order;

    /// <summary>Pairs that take a row of x: k where rows are tokens, 1 where they are pairs.</summary>
    public readonly int PairsOfRow = pairsOfRow;

    /// <summary>Where rows of the result are pairs of a token and an expert, in their order.</summary>
    public readonly SortedPairs Pairs = pairs;
}

/// <summary>Activations as bfloat16. Grid: (pairs of columns over threads, rows of the result).</summary>
internal static class NarrowActivations
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">x, and where to.</param>
    public static void Kernel(DeviceMemory memory, NarrowArguments a)
    {
        int pair = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (2 * pair >= a.Width) return;
        int col = Column(2 * pair, a.Order), row = a.Pairs.Are == 0 ? Grid.IdxY : memory.Ints[(a.Pairs.Order >> 2) + Grid.IdxY] / a.PairsOfRow;
        long x = a.X.Row(row) + col;
        float low = col < a.X.Cols ? memory.Floats[x] : 0f, high = col + 1 < a.X.Cols ? memory.Floats[x + 1] : 0f;
        memory.Words[(a.Y >> 2) + ((long)Grid.IdxY * (a.Width >> 1)) + pair] = Narrow.ToBrains(low, high);
    }

    // A lane's four values of fragment f of eight: pairs q and q + 4 of it, q being the lane's quarter.
    private static int Column(int place, int order)
    {
        if (order == (int)ActivationOrder.Plain) return place;
        int fragment = (place >> 4) & 7, quarter = (place >> 1) & 3, within = (4 * fragment) + ((place >> 2) & 2);
        int column = order == (int)ActivationOrder.Blocks ? (32 * quarter) + within : (32 * (fragment >> 1)) + (8 * quarter) + (within & 7);
        return (place & ~127) + column;
    }
}
