using ILGPU;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Ops;

/// <summary>Arguments of <see cref="EmbedBlocks{T}"/> and <see cref="EmbedFloats{T}"/>.</summary>
internal readonly struct EmbedArguments(DeviceWeights table, long tokens, DeviceTensor y)
{
    public readonly DeviceWeights Table = table;

    /// <summary>Byte offset of ids, [rows of y].</summary>
    public readonly long Tokens = tokens;
    public readonly DeviceTensor Y = y;
}

/// <summary><c>y[i] = table[tokens[i]]</c> of a block format. Grid: (blocks of a row over threads, rows of y).</summary>
internal static class EmbedBlocks<T>
    where T : unmanaged, IBlockFormat
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Table, ids, destination.</param>
    public static void Kernel(DeviceMemory memory, EmbedArguments a)
    {
        int block = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (block >= a.Table.Blocks) return;
        BlockCodes w = BlockCodes.Load<T>(memory, a.Table, memory.Ints[(a.Tokens >> 2) + Grid.IdxY], block);
        long y = a.Y.Row(Grid.IdxY) + (block * 32);
        float upper = default(T).HasTwoScales ? w.UpperScale : w.Scale, minimum = default(T).HasMinimum ? w.Minimum : 0f;
        Four(memory, y, w.C0, w.Scale, minimum);
        Four(memory, y + 4, w.C1, w.Scale, minimum);
        Four(memory, y + 8, w.C2, w.Scale, minimum);
        Four(memory, y + 12, w.C3, w.Scale, minimum);
        Four(memory, y + 16, w.C4, upper, minimum);
        Four(memory, y + 20, w.C5, upper, minimum);
        Four(memory, y + 24, w.C6, upper, minimum);
        Four(memory, y + 28, w.C7, upper, minimum);
    }

    private static void Four(DeviceMemory memory, long y, uint codes, float scale, float minimum)
    {
        memory.Floats[y] = (scale * ((int)(codes << 24) >> 24)) - minimum;
        memory.Floats[y + 1] = (scale * ((int)(codes << 16) >> 24)) - minimum;
        memory.Floats[y + 2] = (scale * ((int)(codes << 8) >> 24)) - minimum;
        memory.Floats[y + 3] = (scale * ((int)codes >> 24)) - minimum;
    }
}

/// <summary>The same of a floating-point format. Grid: (16 bytes of a row over threads, rows of y).</summary>
internal static class EmbedFloats<T>
    where T : unmanaged, IFloatFormat
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Table, ids, destination.</param>
    public static void Kernel(DeviceMemory memory, EmbedArguments a)
    {
        int unit = (Grid.IdxX * Group.DimX) + Group.IdxX, values = default(T).Values, units = (a.Table.Cols + values - 1) / values;
        if (unit >= units) return;
        long row = memory.Ints[(a.Tokens >> 2) + Grid.IdxY];
        Float8 w = default(T).Decode(Lane.Stream16(memory, memory.Address + (ulong)(a.Table.Quants + (((row * units) + unit) * 16))));
        int col = unit * values;
        long y = a.Y.Row(Grid.IdxY);
        Store(memory, y, col, a.Table.Cols, w.V0);
        Store(memory, y, col + 1, a.Table.Cols, w.V1);
        Store(memory, y, col + 2, a.Table.Cols, w.V2);
        Store(memory, y, col + 3, a.Table.Cols, w.V3);
        if (values != 8) return;
        Store(memory, y, col + 4, a.Table.Cols, w.V4);
        Store(memory, y, col + 5, a.Table.Cols, w.V5);
        Store(memory, y, col + 6, a.Table.Cols, w.V6);
        Store(memory, y, col + 7, a.Table.Cols, w.V7);
    }

    private static void Store(DeviceMemory memory, long y, int col, int cols, float value)
    {
        if (col < cols) memory.Floats[y + col] = value;
    }
}
