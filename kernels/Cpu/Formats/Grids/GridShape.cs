using System.Runtime.InteropServices;

namespace Quern.Kernels.Cpu.Formats.Grids;

/// <summary>Where the signs of a grid format's values come from.</summary>
internal enum SignRule
{
    /// <summary>A bit for each value.</summary>
    Free,

    /// <summary>Seven bits for eight values; the number of minus signs is even.</summary>
    Even,

    /// <summary>The grid's coordinates are signed.</summary>
    InPoint,
}

/// <summary>
/// The geometry of a grid format, as an encoder sees it. 256 values are groups of one scale <c>d × Unit × (2·level + 1)</c>; a group is
/// points of <see cref="Dimension"/> values. A format with a shift has every point twice: at coordinate + shift (index below
/// <c>Count / 2</c>) and at coordinate − shift.
/// </summary>
internal sealed unsafe class GridShape
{
    /// <summary>Values in a block.</summary>
    public const int BlockLength = 256;

    /// <param name="points">[count, dimension] coordinates.</param>
    /// <param name="count">Points of the grid; a multiple of 8.</param>
    /// <param name="dimension">4 or 8.</param>
    /// <param name="shift">Distance of the values from the coordinates, to either side.</param>
    public GridShape(sbyte* points, int count, int dimension, float shift = 0)
    {
        int copies = shift == 0 ? 1 : 2;
        Dimension = dimension;
        Count = count * copies;
        Coordinates = (float*)NativeMemory.AlignedAlloc((nuint)(Count * dimension * sizeof(float)), 64);
        for (int i = 0; i < Count; i++)
        {
            for (int j = 0; j < dimension; j++)
            {
                float value = points[(i % count * dimension) + j] + (i < count ? shift : -shift);
                Coordinates[(j * Count) + i] = value;
                Largest = MathF.Max(Largest, MathF.Abs(value));
            }
        }
    }

    /// <summary>Values of a point.</summary>
    public int Dimension { get; }

    /// <summary>Points, both shifts counted.</summary>
    public int Count { get; }

    /// <summary>[dimension, count] values of the points, 64-byte aligned; never freed, as a shape belongs to a format.</summary>
    public float* Coordinates { get; }

    /// <summary>The largest magnitude of a coordinate.</summary>
    public float Largest { get; }

    /// <summary>Values of one scale.</summary>
    public int GroupLength { get; init; } = 32;

    /// <summary>Number of levels.</summary>
    public int Levels { get; init; } = 16;

    /// <summary>What the format multiplies d and the odd level by; a power of two.</summary>
    public float Unit { get; init; } = 1;

    /// <summary>The rule of signs.</summary>
    public SignRule Signs { get; init; } = SignRule.Free;

    /// <summary>True where all points of a group have the same shift.</summary>
    public bool OneShiftInGroup { get; init; }

    /// <summary>Points of a group.</summary>
    public int PointsInGroup => GroupLength / Dimension;

    /// <summary>Groups of a block.</summary>
    public int Groups => BlockLength / GroupLength;
}

/// <summary>What an encoder found for one block of 256 values.</summary>
internal unsafe struct GridCode
{
    /// <summary>d as binary16.</summary>
    public ushort Scale;

    /// <summary>[groups] levels.</summary>
    public fixed byte Levels[16];

    /// <summary>[256 / dimension] indices into the shape's points.</summary>
    public fixed ushort Points[64];

    /// <summary>[32] sign bits of eight values, bit j set where value j is negative.</summary>
    public fixed byte Signs[32];
}
