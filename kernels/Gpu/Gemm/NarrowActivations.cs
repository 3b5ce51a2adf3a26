using ILGPU;

namespace Quern.Kernels.Gpu.Gemm;

/// <summary>Arguments of <see cref="NarrowActivations"/>.</summary>
internal readonly struct NarrowArguments(DeviceTensor x, int width, long y)
{
    public readonly DeviceTensor X = x;

    /// <summary>Values of a row of the result; those behind the columns are zero.</summary>
    public readonly int Width = width;

    /// <summary>Byte offset of [tokens, width] bfloat16.</summary>
    public readonly long Y = y;
}

/// <summary>Activations as bfloat16. Grid: (pairs of columns over threads, tokens).</summary>
internal static class NarrowActivations
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">x, and where to.</param>
    public static void Kernel(DeviceMemory memory, NarrowArguments a)
    {
        int pair = (Grid.IdxX * Group.DimX) + Group.IdxX, col = 2 * pair;
        if (col >= a.Width) return;
        long x = a.X.Row(Grid.IdxY) + col;
        float low = col < a.X.Cols ? memory.Floats[x] : 0f, high = col + 1 < a.X.Cols ? memory.Floats[x + 1] : 0f;
        memory.Words[(a.Y >> 2) + ((long)Grid.IdxY * (a.Width >> 1)) + pair] = Narrow.ToBrains(low, high);
    }
}
