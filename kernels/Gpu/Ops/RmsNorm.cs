using ILGPU;
using Quern.Kernels.Gpu.MatMul;

namespace Quern.Kernels.Gpu.Ops;

/// <summary>Arguments of <see cref="RmsNorm"/>.</summary>
internal readonly struct RmsNormArguments(DeviceTensor x, DeviceTensor y, long gain, int length, float epsilon)
{
    /// <summary>x, or its first part where there is an <see cref="Addend"/>.</summary>
    public readonly DeviceTensor X = x;
    public readonly DeviceTensor Y = y;

    /// <summary>Byte offset of the gains, [Length].</summary>
    public readonly long Gain = gain;

    /// <summary>Values of a group: a whole row, or a head of it.</summary>
    public readonly int Length = length;
    public readonly float Epsilon = epsilon;

    /// <summary>1 where x is <c>X + Addend</c>, which is also written to <see cref="Sum"/>.</summary>
    public int IsSum { get; init; }

    public DeviceTensor Addend { get; init; }

    public DeviceTensor Sum { get; init; }

    /// <summary>Where y goes in bytes besides.</summary>
    public QuantisedPlaces Bytes { get; init; }
}

/// <summary>
/// <c>y = x / √(mean(x²) + ε) · gain</c> for each group of <c>Length</c> values; where asked, x is the sum of two tensors, and y is quantised besides. A block of threads for each group:
/// grid (groups of a row, rows).
/// Source: Zhang and Sennrich 2019, arXiv 1910.07467.
/// </summary>
internal static class RmsNorm
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Tensors and sizes; x and y may be the same.</param>
    public static void Kernel(DeviceMemory memory, RmsNormArguments a)
    {
        // Four values stay in registers, so that they are read at once; what a longer row has behind them is read twice.
        int i0 = Group.IdxX, i1 = i0 + Group.DimX, i2 = i1 + Group.DimX, i3 = i2 + Group.DimX;
        float x0 = Read(memory, a, i0), x1 = Read(memory, a, i1), x2 = Read(memory, a, i2), x3 = Read(memory, a, i3);
        float g0 = Gain(memory, a, i0), g1 = Gain(memory, a, i1), g2 = Gain(memory, a, i2), g3 = Gain(memory, a, i3);
        float squares = (x0 * x0) + (x1 * x1) + (x2 * x2) + (x3 * x3);
        for (int i = i3 + Group.DimX; i < a.Length; i += Group.DimX)
        {
            float value = Read(memory, a, i);
            squares += value * value;
        }

        float scale = Lane.Rsqrt((GroupReduce.Sum(squares) / a.Length) + a.Epsilon);
        Write(memory, a, i0, x0 * scale * g0);
        Write(memory, a, i1, x1 * scale * g1);
        Write(memory, a, i2, x2 * scale * g2);
        Write(memory, a, i3, x3 * scale * g3);
        DeviceTensor source = a.IsSum != 0 ? a.Sum : a.X;
        long first = source.Row(Grid.IdxY) + ((long)Grid.IdxX * a.Length);
        for (int i = i3 + Group.DimX; i < a.Length; i += Group.DimX) Write(memory, a, i, memory.Floats[first + i] * scale * Gain(memory, a, i));
    }

    private static float Read(DeviceMemory memory, RmsNormArguments a, int i)
    {
        if (i >= a.Length) return 0f;
        long place = ((long)Grid.IdxX * a.Length) + i;
        float value = memory.Floats[a.X.Row(Grid.IdxY) + place];
        if (a.IsSum == 0) return value;
        value += memory.Floats[a.Addend.Row(Grid.IdxY) + place];
        memory.Floats[a.Sum.Row(Grid.IdxY) + place] = value;
        return value;
    }

    private static float Gain(DeviceMemory memory, RmsNormArguments a, int i) => i < a.Length ? memory.Floats[(a.Gain >> 2) + i] : 0f;

    private static void Write(DeviceMemory memory, RmsNormArguments a, int i, float value)
    {
        if (i >= a.Length) return;
        memory.Floats[a.Y.Row(Grid.IdxY) + ((long)Grid.IdxX * a.Length) + i] = value;
        if (a.Bytes.Are != 0) QuantiseActivations.Block(memory, a.Bytes, ((long)Grid.IdxY * (a.Y.Cols >> 5)) + (i >> 5), value);
    }
}
