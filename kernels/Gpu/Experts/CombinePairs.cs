using ILGPU;

namespace Quern.Kernels.Gpu.Experts;

/// <summary>Arguments of <see cref="CombinePairs"/>.</summary>
internal readonly struct CombineArguments(DeviceTensor x, long weights, int topK, DeviceTensor y)
{
    public readonly DeviceTensor X = x;

    /// <summary>Byte offset of the weights of pairs.</summary>
    public readonly long Weights = weights;
    public readonly int TopK = topK;
    public readonly DeviceTensor Y = y;
}

/// <summary><c>y[token] = Σ weight of r · x[r]</c> over the pairs of the token. Grid: (columns over threads, tokens).</summary>
internal static class CombinePairs
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Products of pairs, weights, destination.</param>
    public static void Kernel(DeviceMemory memory, CombineArguments a)
    {
        int col = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (col >= a.Y.Cols) return;
        int pair = Grid.IdxY * a.TopK;
        float sum = 0;
        for (int i = 0; i < a.TopK; i++) sum += memory.Floats[(a.Weights >> 2) + pair + i] * memory.Floats[a.X.Row(pair + i) + col];
        memory.Floats[a.Y.Row(Grid.IdxY) + col] = sum;
    }
}
