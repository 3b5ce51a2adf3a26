using System.Runtime.InteropServices;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.BytePanels;

/// <summary>
/// How operands lie for products of bytes: <c>w ≈ s × q</c> with one s for a row's 256 columns (a block) and q in −127…127, whatever the weights' format; activations likewise, with one s for a token's block.
/// <list type="bullet">
/// <item>A panel is a block of four groups of sixteen rows. In a group, columns are taken in fours: 64 bytes hold columns 4j…4j+3, of row r in bytes 4r…4r+3. That is what VPDPBUSD reads, sixteen rows
/// in lanes, and sixteen such vectors are a tile of the tile unit, which takes them signed; VPDPBUSD has <see cref="Offset"/> added. Behind each other: groups of <see cref="GroupBytes"/>.</item>
/// <item>Activations are [blocks, tokens, 256] bytes, their scales [blocks, tokens] binary32, and the corrections, −128 × Σq of a token's block, [blocks, tokens] 32-bit: for weights that have the offset.</item>
/// </list>
/// The last block of a row is filled up with zeros to a multiple of <see cref="StepColumns"/>.
/// </summary>
internal static class BytePanelLayout
{
    /// <summary>Columns with one scale.</summary>
    public const int BlockColumns = 256;

    /// <summary>Columns that kernels take at a time: a row of a tile.</summary>
    public const int StepColumns = 64;

    /// <summary>Groups of sixteen rows in a panel.</summary>
    public const int Groups = 4;

    /// <summary>Rows of a panel.</summary>
    public const int Rows = Groups * InterleavedLayout.Rows;

    /// <summary>Bytes of a group.</summary>
    public const int GroupBytes = InterleavedLayout.Rows * BlockColumns;

    /// <summary>Bytes of a panel.</summary>
    public const int PanelBytes = Groups * GroupBytes;

    /// <summary>Added to codes that an instruction takes for unsigned.</summary>
    public const int Offset = 128;

    /// <summary>Blocks of a row.</summary>
    public static int Blocks(int cols) => (cols + BlockColumns - 1) / BlockColumns;

    /// <summary>Steps of a block that begins at a column.</summary>
    public static int Steps(int cols, int column) => (Math.Min(BlockColumns, cols - column) + StepColumns - 1) / StepColumns;
}

/// <summary>What a kernel of byte products gets, by address: <c>y[t, r] += scale[t] × scale[r] × Σ_k x[t, k] · w[r, k]</c> for the 64 rows r of a panel and so many tokens t. It is used up by the call.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct BytePanelArguments
{
    /// <summary>A panel.</summary>
    public byte* Weights;

    /// <summary>[64] its rows' scales.</summary>
    public float* WeightScales;

    /// <summary>[tokens, 256] a block of activations.</summary>
    public sbyte* Activations;

    /// <summary>[tokens] their scales.</summary>
    public float* Scales;

    /// <summary>[tokens] their corrections.</summary>
    public int* Corrections;

    /// <summary>[tokens, 64] outputs; aligned to 64 bytes.</summary>
    public float* Y;

    /// <summary>Steps of the block, 1 to 4.</summary>
    public long Steps;

    /// <summary>Tokens divided by those that the kernel takes at a time, at least 1.</summary>
    public long Turns;

    /// <summary>[32, 32] memory for sums of tiles; aligned to 64 bytes.</summary>
    public int* TileSums;
}
