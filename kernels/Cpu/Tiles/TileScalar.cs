using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Tiles;

/// <summary>What the kernels of the tile unit mean, in obvious loops over the same memory: what the assembled ones are compared with.</summary>
internal static unsafe class TileScalar
{
    /// <summary>Decodes a group of interleaved rows.</summary>
    public static void Decode(InterleavedLayout layout, in TileDecodeArguments arguments)
    {
        uint* target = (uint*)arguments.Tiles;
        for (int k = 0; k < arguments.Blocks * layout.BlockColumns; k += TileLayout.StepColumns)
            for (int p = 0; p < 16; p++)
                for (int row = 0; row < TileLayout.Rows; row++)
                    *target++ = (Number(layout, arguments.Weights, row, k + p) >> 16) | (Number(layout, arguments.Weights, row, k + 16 + p) & 0xffff0000u);
    }

    /// <summary>The products of all turns.</summary>
    public static void Multiply(in TileProductArguments arguments, int tokenTiles, int rowTiles)
    {
        for (long turn = 0; turn < arguments.Turns; turn++)
            for (int t = 0; t < tokenTiles * TileLayout.Rows; t++)
                for (int r = 0; r < rowTiles * TileLayout.Rows; r++)
                {
                    byte* x = arguments.Activations + (turn * arguments.TurnActivationBytes) + (t / TileLayout.Rows * arguments.ActivationBytes);
                    byte* w = arguments.Weights + (turn * arguments.TurnWeightBytes) + (r / TileLayout.Rows * arguments.WeightBytes);
                    float sum = arguments.Before == null ? 0 : ((float*)((byte*)arguments.Before + (turn * arguments.TurnBeforeBytes) + (t * arguments.BeforeTokenBytes)))[r];
                    for (int k = 0; k < arguments.Steps * TileLayout.StepColumns; k++) sum += Activation(x, t % TileLayout.Rows, k) * Weight(w, r % TileLayout.Rows, k);
                    ((float*)((byte*)arguments.Y + (turn * arguments.TurnYBytes) + (t * arguments.YTokenBytes)))[r] = sum;
                }
    }

    /// <summary>The activation that sixteen tokens' tiles hold for a token and a column.</summary>
    public static float Activation(byte* tiles, int token, int column) => Half(tiles, column, token, column % 16);

    /// <summary>The weight that sixteen rows' tiles hold for a row and a column.</summary>
    public static float Weight(byte* tiles, int row, int column) => Half(tiles, column, column % 16, row);

    private static float Half(byte* tiles, int column, int tileRow, int element)
    {
        uint pair = ((uint*)(tiles + ((long)(column / TileLayout.StepColumns) * TileLayout.TileBytes)))[(16 * tileRow) + element];
        return BitConverter.UInt32BitsToSingle(column % TileLayout.StepColumns < 16 ? pair << 16 : pair & 0xffff0000u);
    }

    private static uint Number(InterleavedLayout layout, byte* group, int row, int column)
    {
        float weight = InterleavedScalar.Weight(layout, group, row, column);
        if (layout.Element == FloatElement.None) return BitConverter.SingleToUInt32Bits(weight * TileLayout.Raise);
        return BitConverter.SingleToUInt32Bits(weight) + (layout.Element == FloatElement.Brain ? 0 : 0x8000u);
    }
}
