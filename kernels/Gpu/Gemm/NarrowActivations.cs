using ILGPU;
using Quern.Kernels.Gpu.Experts;

namespace Quern.Kernels.Gpu.Gemm;

/// <summary>In which order a row of 16-bit numbers holds the activations.</summary>
internal enum ActivationOrder
{
    /// <summary>As they come.</summary>
    Plain,

    /// <summary>For fragments of 16 whose quarters, of 4 each, are taken from four blocks of 32 one after the other.</summary>
    Blocks,

    /// <summary>For fragments of 16 whose quarters, of 4 each, are taken from four times 8 neighbours.</summary>
    Eights,
}

/// <summary>How products on tensor cores take activations.</summary>
internal readonly record struct ActivationForm(ActivationOrder Order, bool IsHalf)
{
    /// <summary>What a panel's warpgroups take.</summary>
    public static ActivationForm Of<TPanel>()
        where TPanel : unmanaged, IWeightPanel => new(default(TPanel).Order, default(TPanel).IsHalf);
}

/// <summary>Where activations of 16 bits are: byte offsets.</summary>
internal readonly struct NarrowPlaces(long values, long scales)
{
    /// <summary>[tokens, width] bfloat16 or binary16.</summary>
    public readonly long Values = values;

    /// <summary>[tokens] binary32, by which the values of a row are to be multiplied; of binary16 alone.</summary>
    public readonly long Scales = scales;
}

/// <summary>Arguments of <see cref="NarrowActivations"/>.</summary>
internal readonly struct NarrowArguments(DeviceTensor x, int width, NarrowPlaces y, ActivationOrder order, SortedPairs pairs = default, int pairsOfRow = 1)
{
    public readonly DeviceTensor X = x;

    /// <summary>Values of a row of the result, a multiple of 128 in the orders that are not plain; those behind the columns are zero.</summary>
    public readonly int Width = width;

    public readonly NarrowPlaces Y = y;

    /// <summary>Which column comes where: an <see cref="ActivationOrder"/>.</summary>
    public readonly int Order = (int)order;

    /// <summary>Pairs that take a row of x: k where rows are tokens, 1 where they are pairs.</summary>
    public readonly int PairsOfRow = pairsOfRow;

    /// <summary>Where rows of the result are pairs of a token and an expert, in their order.</summary>
    public readonly SortedPairs Pairs = pairs;
}

/// <summary>
/// Activations as bfloat16; or, for weights of binary16, as binary16 over a power of two for each row, such that its largest value is 2^14 up to 2^15: none is too large, and those down to 2^-28
/// of the largest keep all eleven bits.
/// Source: IEEE 754-2019; Micikevicius et al. 2018, arXiv 1710.03740 (scales that keep binary16 in its range).
/// </summary>
internal static class NarrowActivations
{
    /// <summary>As bfloat16. Grid: (pairs of columns over threads, rows of the result).</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="a">x, and where to.</param>
    public static void BrainKernel(DeviceMemory memory, NarrowArguments a)
    {
        int pair = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (2 * pair >= a.Width) return;
        long x = a.X.Row(Row(memory, a));
        int col = Column(2 * pair, a.Order);
        memory.Words[Place(a) + pair] = Narrow.ToBrains(Value(memory, a, x, col), Value(memory, a, x, col + 1));
    }

    /// <summary>As binary16. Grid: (1, rows of the result).</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="a">x, and where to.</param>
    public static void HalfKernel(DeviceMemory memory, NarrowArguments a)
    {
        long x = a.X.Row(Row(memory, a));
        float most = 0f;
        for (int col = Group.IdxX; col < a.X.Cols; col += Group.DimX) most = IntrinsicMath.Max(most, IntrinsicMath.Abs(memory.Floats[x + col]));

        // 2^(exponent - 127) is the largest power of two in the row; both factors stay normal numbers.
        int exponent = IntrinsicMath.Clamp((int)(Interop.FloatAsInt(GroupReduce.Max(most)) >> 23), 15, 254);
        float factor = Interop.IntAsFloat((uint)(268 - exponent) << 23);
        for (int pair = Group.IdxX; 2 * pair < a.Width; pair += Group.DimX)
        {
            int col = Column(2 * pair, a.Order);
            memory.Words[Place(a) + pair] = Narrow.ToHalves(Value(memory, a, x, col) * factor, Value(memory, a, x, col + 1) * factor);
        }

        if (Group.IdxX == 0) memory.Floats[(a.Y.Scales >> 2) + Grid.IdxY] = Interop.IntAsFloat((uint)(exponent - 14) << 23);
    }

    private static int Row(DeviceMemory memory, NarrowArguments a) => a.Pairs.Are == 0 ? Grid.IdxY : memory.Ints[(a.Pairs.Order >> 2) + Grid.IdxY] / a.PairsOfRow;

    private static long Place(NarrowArguments a) => (a.Y.Values >> 2) + ((long)Grid.IdxY * (a.Width >> 1));

    private static float Value(DeviceMemory memory, NarrowArguments a, long x, int col) => col < a.X.Cols ? memory.Floats[x + col] : 0f;

    // A lane's four values of fragment f of eight: pairs q and q + 4 of it, q being the lane's quarter.
    private static int Column(int place, int order)
    {
        if (order == (int)ActivationOrder.Plain) return place;
        int fragment = (place >> 4) & 7, quarter = (place >> 1) & 3, within = (4 * fragment) + ((place >> 2) & 2);
        int column = order == (int)ActivationOrder.Blocks ? (32 * quarter) + within : (32 * (fragment >> 1)) + (8 * quarter) + (within & 7);
        return (place & ~127) + column;
    }
}
