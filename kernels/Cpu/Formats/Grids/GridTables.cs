using System.Runtime.InteropServices;

namespace Quern.Kernels.Cpu.Formats.Grids;

/// <summary>
/// The grids of the IQ formats, expanded once to a signed byte a coordinate, so that a decoder reads a point with one load. Native memory,
/// 64-byte aligned, kept for the life of the process: 34 KB in all.
/// </summary>
internal static unsafe class GridTables
{
    /// <summary>IQ1_S, IQ1_M: 2,048 points of 8 coordinates in {−1, 0, 1}.</summary>
    public static readonly sbyte* Iq1 = Expand(Iq1Grid.Points, 8, [-1, 0, 1]);

    /// <summary>IQ2_XXS: 256 points of 8 magnitudes.</summary>
    public static readonly sbyte* Iq2Xxs = Expand(Iq2Grid.PointsXxs, 8, [8, 25, 43]);

    /// <summary>IQ2_XS: 512 points of 8 magnitudes.</summary>
    public static readonly sbyte* Iq2Xs = Expand(Iq2Grid.PointsXs, 8, [8, 25, 43]);

    /// <summary>IQ2_S: 1,024 points of 8 magnitudes.</summary>
    public static readonly sbyte* Iq2S = Expand(Iq2Grid.PointsS, 8, [8, 25, 43]);

    /// <summary>IQ3_XXS: 256 points of 4 magnitudes.</summary>
    public static readonly sbyte* Iq3Xxs = Expand(Iq3Grid.PointsXxs, 4, [4, 12, 20, 28, 36, 44, 52, 62]);

    /// <summary>IQ3_S: 512 points of 4 magnitudes.</summary>
    public static readonly sbyte* Iq3S = Expand(Iq3Grid.PointsS, 4, [1, 3, 5, 7, 9, 11, 13, 15]);

    private static sbyte* Expand(ReadOnlySpan<ushort> codes, int dimension, ReadOnlySpan<sbyte> values)
    {
        int bits = values.Length > 4 ? 3 : 2, mask = (1 << bits) - 1;
        sbyte* table = (sbyte*)NativeMemory.AlignedAlloc((nuint)(codes.Length * dimension), 64);
        for (int i = 0; i < codes.Length; i++)
        {
            for (int j = 0; j < dimension; j++) table[(i * dimension) + j] = values[(codes[i] >> (bits * j)) & mask];
        }

        return table;
    }
}
