namespace Quern.Kernels.Cpu.Tiles;

/// <summary>
/// How operands lie in memory for the tile unit (AMX). A tile is 16 rows of 64 bytes. A step of 32 columns is one tile on either side:
/// <list type="bullet">
/// <item>weights of sixteen rows: 32-bit element n of tile row p holds, of weight row n, columns p (lower half) and 16 + p (upper half) as bfloat16 numbers;</item>
/// <item>activations of sixteen tokens: element p of tile row m holds columns p and 16 + p of token m.</item>
/// </list>
/// The steps of sixteen weight rows, or of sixteen tokens, follow each other.
/// </summary>
internal static class TileLayout
{
    /// <summary>Weight rows, or tokens, of a tile.</summary>
    public const int Rows = 16;

    /// <summary>Columns of a step.</summary>
    public const int StepColumns = Interleaved.InterleavedLayout.StepColumns;

    /// <summary>Bytes of a tile.</summary>
    public const int TileBytes = 1024;

    /// <summary>
    /// Steps that stand for one where operands are kept in two parts, what rounds to bfloat16 and the rest: <c>(x + x') (w + w') ≈ x w + x' w + x w'</c>, which is exact to 2⁻¹⁶. Activations are placed as x, x', x
    /// and weights as w, w, w'.
    /// </summary>
    public const int Parts = 3;

    /// <summary>
    /// Factor on scales of decoded weights. Weights are cut to 7 bits of fraction, which takes off half a unit of the last place on the mean: of numbers evenly spread between
    /// two powers of two, the part 2⁻⁸ · ln 2.
    /// </summary>
    public const float Raise = 1 + (0.69314718f / 256);

    /// <summary>Bytes of sixteen weight rows, or tokens.</summary>
    public static long Bytes(int cols) => (long)(cols / StepColumns) * TileBytes;
}
