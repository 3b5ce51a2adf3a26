using ILGPU;

namespace Quern.Kernels.Gpu.Ops;

/// <summary>Arguments of <see cref="RowCopies.Gather"/>.</summary>
internal readonly struct GatherArguments(DeviceTensor x, long rows, DeviceTensor y)
{
    public readonly DeviceTensor X = x;

    /// <summary>Byte offset of row numbers, [rows of y].</summary>
    public readonly long Rows = rows;
    public readonly DeviceTensor Y = y;
}

/// <summary>Arguments of <see cref="RowCopies.Heads"/>.</summary>
internal readonly struct CopyHeadsArguments(DeviceTensor x, int apart, int heads, int length, DeviceTensor y, int apartInY)
{
    public readonly DeviceTensor X = x;
    public readonly int Apart = apart;
    public readonly int Heads = heads;
    public readonly int Length = length;
    public readonly DeviceTensor Y = y;
    public readonly int ApartInY = apartInY;
}

/// <summary>Arguments of <see cref="RowCopies.Pad"/>.</summary>
internal readonly struct PadArguments(DeviceTensor x, DeviceTensor y, int heads, int apart)
{
    /// <summary>The columns of the first head.</summary>
    public readonly DeviceTensor X = x;

    /// <summary>[rows × heads, at least as many columns].</summary>
    public readonly DeviceTensor Y = y;
    public readonly int Heads = heads;

    /// <summary>Values from a head of x to the next one.</summary>
    public readonly int Apart = apart;
}

/// <summary>Copies of rows and parts of rows. Grid: (columns over threads, rows of y).</summary>
internal static class RowCopies
{
    /// <summary><c>y[i] = x[rows[i]]</c>.</summary>
    public static void Gather(DeviceMemory memory, GatherArguments a)
    {
        int col = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (col >= a.Y.Cols) return;
        int row = memory.Ints[(a.Rows >> 2) + Grid.IdxY];
        memory.Floats[a.Y.Row(Grid.IdxY) + col] = memory.Floats[a.X.Row(row) + col];
    }

    /// <summary><c>y[i, h · apartInY + j] = x[i, h · apart + j]</c>.</summary>
    public static void Heads(DeviceMemory memory, CopyHeadsArguments a)
    {
        int item = (Grid.IdxX * Group.DimX) + Group.IdxX, head = item / a.Length, col = item - (head * a.Length);
        if (head >= a.Heads) return;
        memory.Floats[a.Y.Row(Grid.IdxY) + (head * a.ApartInY) + col] = memory.Floats[a.X.Row(Grid.IdxY) + (head * a.Apart) + col];
    }

    /// <summary>Copies heads to wider rows and fills the rest with zeros.</summary>
    public static void Pad(DeviceMemory memory, PadArguments a)
    {
        int col = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (col >= a.Y.Cols) return;
        memory.Floats[a.Y.Row(Grid.IdxY) + col] = col < a.X.Cols ? memory.Floats[RowOfHead(a.X, a.Heads, a.Apart) + col] : 0f;
    }

    /// <summary>Index of the first value of a group's row and head: groups along y are rows × heads.</summary>
    public static long RowOfHead(DeviceTensor x, int heads, int apart)
    {
        // Divisions only where there is something to divide.
        if (heads == 1) return x.Row(Grid.IdxY);
        int row = Grid.IdxY / heads;
        return x.Row(row) + ((long)(Grid.IdxY - (row * heads)) * apart);
    }
}
