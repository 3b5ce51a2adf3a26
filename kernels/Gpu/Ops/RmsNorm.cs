using ILGPU;

namespace Quern.Kernels.Gpu.Ops;

/// <summary>Arguments of <see cref="RmsNorm"/>.</summary>
internal readonly struct RmsNormArguments(DeviceTensor x, DeviceTensor y, long gain, int length, float epsilon)
{
    public readonly DeviceTensor X = x;
    public readonly DeviceTensor Y = y;

    /// <summary>Byte offset of the gains, [Length].</summary>
    public readonly long Gain = gain;

    /// <summary>Values of a group: a whole row, or a head of it.</summary>
    public readonly int Length = length;
    public readonly float Epsilon = epsilon;
}

/// <summary>
/// <c>y = x / √(mean(x²) + ε) · gain</c> for each group of <c>Length</c> values. A block of threads for each group: grid (groups of a row, rows).
/// Source: Zhang and Sennrich 2019, arXiv 1910.07467.
/// </summary>
internal static class RmsNorm
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Tensors and sizes; x and y may be the same.</param>
    public static void Kernel(DeviceMemory memory, RmsNormArguments a)
    {
        ArrayView<float> floats = memory.Floats;
        long x = a.X.Row(Grid.IdxY) + ((long)Grid.IdxX * a.Length), y = a.Y.Row(Grid.IdxY) + ((long)Grid.IdxX * a.Length), gain = a.Gain >> 2;
        float squares = 0;
        for (int i = Group.IdxX; i < a.Length; i += Group.DimX)
        {
            float value = floats[x + i];
            squares += value * value;
        }

        float scale = Lane.Rsqrt((GroupReduce.Sum(squares) / a.Length) + a.Epsilon);
        for (int i = Group.IdxX; i < a.Length; i += Group.DimX) floats[y + i] = floats[x + i] * scale * floats[gain + i];
    }
}
