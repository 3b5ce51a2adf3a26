using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>One product of a launch: <c>y = x Wᵀ + bias</c>.</summary>
internal readonly struct GemvPart(DeviceWeights weights, long firstRow, long bias, DeviceTensor y)
{
    public readonly DeviceWeights Weights = weights;

    /// <summary>Row of the planes that is row 0 of this product.</summary>
    public readonly long FirstRow = firstRow;

    /// <summary>Byte offset of the bias, [rows], or −1.</summary>
    public readonly long Bias = bias;
    public readonly DeviceTensor Y = y;

    /// <summary>The part of a head, from a token on.</summary>
    public GemvPart At(int token, int head, int apartInY) => new(
        Weights, FirstRow + ((long)head * Weights.Rows), Bias, new DeviceTensor(Y.Offset + ((((long)token * Y.Stride) + ((long)head * apartInY)) * sizeof(float)), Y.Cols, Y.Stride));

    /// <summary>Pieces of so many rows, the last one perhaps of fewer.</summary>
    public int Units(int rows) => (Weights.Rows + rows - 1) / rows;
}

/// <summary>Heads that share a launch: columns of x, one behind the other, each with a matrix of a stack, and columns of y.</summary>
internal readonly struct GemvHeads(int count, int apart, int apartInY)
{
    /// <summary>At least one.</summary>
    public readonly int Count = count;

    /// <summary>Values from a head to the next one's in <see cref="GemvArguments.X"/>; bytes lie head by head without gaps.</summary>
    public readonly int Apart = apart;

    /// <summary>The same in y.</summary>
    public readonly int ApartInY = apartInY;
}

/// <summary>
/// Up to three products of the same activations. Activations are binary32 (<see cref="X"/>), or signed bytes in blocks of 32 (<see cref="Quants"/>, <see cref="Scales"/>) made by
/// <see cref="QuantiseActivations"/>.
/// </summary>
internal readonly struct GemvArguments(int tokens, DeviceTensor x, long quants, long scales, GemvPart first, GemvPart second, GemvPart third, GemvHeads heads)
{
    /// <summary>Rows of x.</summary>
    public readonly int Tokens = tokens;

    /// <summary>[tokens, cols] binary32; begins at a multiple of 16 bytes, as does every row, and is zero up to a multiple of 8 values.</summary>
    public readonly DeviceTensor X = x;

    /// <summary>Byte offset of [tokens, heads, cols] signed bytes.</summary>
    public readonly long Quants = quants;

    /// <summary>Byte offset of [tokens, heads, cols / 32] scales: binary32, then two 16-bit sums, of the first and last sixteen bytes of the block.</summary>
    public readonly long Scales = scales;
    public readonly GemvPart First = first;
    public readonly GemvPart Second = second;
    public readonly GemvPart Third = third;
    public readonly GemvHeads Heads = heads;

    /// <summary>The same with the activations from a token on, of one head; parts are left as they are, since a group needs one of them.</summary>
    public GemvArguments At(int token, int head)
    {
        long row = ((long)token * Heads.Count) + head, cols = First.Weights.Cols;
        DeviceTensor x = new(X.Offset + ((((long)token * X.Stride) + ((long)head * Heads.Apart)) * sizeof(float)), X.Cols, X.Stride);
        return new GemvArguments(Tokens - token, x, Quants + (row * cols), Scales + (row * (cols >> 2)), First, Second, Third, Heads);
    }

    /// <summary>Where a unit of so many rows is, counted over all products; behind the last unit of the last product there is none.</summary>
    public GemvPlace Find(int unit, int rows)
    {
        if (unit < First.Units(rows)) return new GemvPlace(First, unit * rows);
        unit -= First.Units(rows);
        return unit < Second.Units(rows) ? new GemvPlace(Second, unit * rows) : new GemvPlace(Third, (unit - Second.Units(rows)) * rows);
    }
}

/// <summary>The first row of a unit, and its product.</summary>
internal readonly struct GemvPlace(GemvPart part, int row)
{
    public readonly GemvPart Part = part;
    public readonly int Row = row;
}

/// <summary>How many tokens a kernel is made for: its loops over them are written out.</summary>
internal interface ITokenCount
{
    /// <summary>2, 4 or 8.</summary>
    int Count { get; }
}

internal readonly struct TwoTokens : ITokenCount
{
    public int Count => 2;
}

internal readonly struct FourTokens : ITokenCount
{
    public int Count => 4;
}

internal readonly struct EightTokens : ITokenCount
{
    public int Count => 8;
}

/// <summary>What a warp has added up: two rows of weights with up to eight tokens.</summary>
internal struct GemvSums
{
    public float A0;
    public float A1;
    public float A2;
    public float A3;
    public float A4;
    public float A5;
    public float A6;
    public float A7;
    public float B0;
    public float B1;
    public float B2;
    public float B3;
    public float B4;
    public float B5;
    public float B6;
    public float B7;

    /// <summary>Adds the lanes up and writes the results; all lanes of the warp take part.</summary>
    public static void Store<TTokens>(DeviceMemory memory, int tokens, GemvPart part, int row, GemvSums s)
        where TTokens : struct, ITokenCount
    {
        int count = default(TTokens).Count;
        StoreToken(memory, tokens, part, row, 0, s.A0, s.B0);
        if (count > 1) StoreToken(memory, tokens, part, row, 1, s.A1, s.B1);
        if (count > 2)
        {
            StoreToken(memory, tokens, part, row, 2, s.A2, s.B2);
            StoreToken(memory, tokens, part, row, 3, s.A3, s.B3);
        }

        if (count > 4)
        {
            StoreToken(memory, tokens, part, row, 4, s.A4, s.B4);
            StoreToken(memory, tokens, part, row, 5, s.A5, s.B5);
            StoreToken(memory, tokens, part, row, 6, s.A6, s.B6);
            StoreToken(memory, tokens, part, row, 7, s.A7, s.B7);
        }
    }

    private static void StoreToken(DeviceMemory memory, int tokens, GemvPart part, int row, int token, float a, float b)
    {
        if (token >= tokens) return;
        a = Lane.WarpSum(a);
        b = Lane.WarpSum(b);

        // Lane 0 writes the first row and lane 1 the second.
        int lane = ILGPU.Group.IdxX & 31, mine = row + lane;
        if (lane > 1 || mine >= part.Weights.Rows) return;
        float value = lane == 0 ? a : b;
        if (part.Bias >= 0) value += memory.Floats[(part.Bias >> 2) + mine];
        memory.Floats[part.Y.Row(token) + mine] = value;
    }
}
