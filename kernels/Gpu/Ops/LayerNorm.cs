using ILGPU;

namespace Quern.Kernels.Gpu.Ops;

/// <summary>Arguments of <see cref="LayerNorm"/>.</summary>
internal readonly struct LayerNormArguments(DeviceTensor x, DeviceTensor y, long gain, int gainLength, long bias, int biasLength, int length, float epsilon)
{
    public readonly DeviceTensor X = x;
    public readonly DeviceTensor Y = y;

    /// <summary>Byte offset of the gains, or −1 for ones.</summary>
    public readonly long Gain = gain;

    /// <summary>Number of gains: a group's or a row's.</summary>
    public readonly int GainLength = gainLength;

    /// <summary>Byte offset of the biases, or −1 for zeros.</summary>
    public readonly long Bias = bias;

    /// <summary>Number of biases.</summary>
    public readonly int BiasLength = biasLength;

    /// <summary>Values of a group.</summary>
    public readonly int Length = length;
    public readonly float Epsilon = epsilon;
}

/// <summary>
/// <c>y = (x − mean(x)) / √(var(x) + ε) · gain + bias</c> for each group of <c>Length</c> values. A block of threads for each group: grid (groups of a row, rows).
/// Source: Ba et al. 2016, arXiv 1607.06450.
/// </summary>
internal static class LayerNorm
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Tensors and sizes; x and y may be the same.</param>
    public static void Kernel(DeviceMemory memory, LayerNormArguments a)
    {
        ArrayView<float> floats = memory.Floats;
        int first = Grid.IdxX * a.Length;
        long x = a.X.Row(Grid.IdxY) + first, y = a.Y.Row(Grid.IdxY) + first;
        float sum = 0;
        for (int i = Group.IdxX; i < a.Length; i += Group.DimX) sum += floats[x + i];
        float mean = GroupReduce.Sum(sum) / a.Length, squares = 0;
        for (int i = Group.IdxX; i < a.Length; i += Group.DimX)
        {
            float distance = floats[x + i] - mean;
            squares += distance * distance;
        }

        float scale = Lane.Rsqrt((GroupReduce.Sum(squares) / a.Length) + a.Epsilon);
        for (int i = Group.IdxX; i < a.Length; i += Group.DimX)
        {
            float value = (floats[x + i] - mean) * scale;
            if (a.Gain >= 0) value *= floats[(a.Gain >> 2) + (a.GainLength == a.Length ? i : first + i)];
            if (a.Bias >= 0) value += floats[(a.Bias >> 2) + (a.BiasLength == a.Length ? i : first + i)];
            floats[y + i] = value;
        }
    }
}
