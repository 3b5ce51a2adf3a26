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

    /// <summary>1 where four values can be read and written at once: all begin at multiples of 16 bytes, and the length is a multiple of 32.</summary>
    public int IsWide { get; init; }

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
    /// <summary>Values that a thread keeps in registers, so that they are read at once; what a longer row has behind them is read twice.</summary>
    public const int Kept = 16;

    /// <param name="memory">The arena.</param>
    /// <param name="a">Tensors and sizes; x and y may be the same.</param>
    public static void Kernel(DeviceMemory memory, RmsNormArguments a)
    {
        if (a.IsWide == 0) Narrow(memory, a);
        else Wide(memory, a);
    }

    private static void Narrow(DeviceMemory memory, RmsNormArguments a)
    {
        long group = (long)Grid.IdxX * a.Length, x = a.X.Row(Grid.IdxY) + group, addend = a.Addend.Row(Grid.IdxY) + group, sum = a.Sum.Row(Grid.IdxY) + group, y = a.Y.Row(Grid.IdxY) + group;
        float squares = 0;
        for (int i = Group.IdxX; i < a.Length; i += Group.DimX)
        {
            float value = memory.Floats[x + i];
            if (a.IsSum != 0) memory.Floats[sum + i] = value += memory.Floats[addend + i];
            squares += value * value;
        }

        float scale = Scale(a, squares);
        for (int first = 0; first < a.Length; first += Group.DimX)
        {
            // All lanes of a warp go through here together, since they make bytes together.
            int i = first + Group.IdxX;
            float value = i < a.Length ? memory.Floats[(a.IsSum != 0 ? sum : x) + i] * scale * memory.Floats[(a.Gain >> 2) + i] : 0f;
            if (i < a.Length) memory.Floats[y + i] = value;
            if (a.Bytes.Are != 0 && first + (Group.IdxX & -GpuDevice.WarpThreads) < a.Length) QuantiseActivations.Block(memory, a.Bytes, (((long)Grid.IdxY * a.Y.Cols) + group + i) >> 5, value);
        }
    }

    // Four values at a time.
    private static void Wide(DeviceMemory memory, RmsNormArguments a)
    {
        int apart = 4 * Group.DimX, i0 = 4 * Group.IdxX, i1 = i0 + apart, i2 = i1 + apart, i3 = i2 + apart;
        Four x0 = Four.Load(memory, Place(a, a.X), i0, a.Length), x1 = Four.Load(memory, Place(a, a.X), i1, a.Length);
        Four x2 = Four.Load(memory, Place(a, a.X), i2, a.Length), x3 = Four.Load(memory, Place(a, a.X), i3, a.Length);
        if (a.IsSum != 0)
        {
            Four s0 = Four.Load(memory, Place(a, a.Addend), i0, a.Length), s1 = Four.Load(memory, Place(a, a.Addend), i1, a.Length);
            Four s2 = Four.Load(memory, Place(a, a.Addend), i2, a.Length), s3 = Four.Load(memory, Place(a, a.Addend), i3, a.Length);
            (x0, x1, x2, x3) = (Sum(memory, a, i0, x0, s0), Sum(memory, a, i1, x1, s1), Sum(memory, a, i2, x2, s2), Sum(memory, a, i3, x3, s3));
        }

        Four g0 = Four.Load(memory, a.Gain, i0, a.Length), g1 = Four.Load(memory, a.Gain, i1, a.Length), g2 = Four.Load(memory, a.Gain, i2, a.Length), g3 = Four.Load(memory, a.Gain, i3, a.Length);
        float squares = Four.Squares(x0) + Four.Squares(x1) + Four.Squares(x2) + Four.Squares(x3);
        for (int i = i3 + apart; i < a.Length; i += apart)
        {
            Four x = Four.Load(memory, Place(a, a.X), i, a.Length);
            if (a.IsSum != 0) x = Sum(memory, a, i, x, Four.Load(memory, Place(a, a.Addend), i, a.Length));
            squares += Four.Squares(x);
        }

        float scale = Scale(a, squares);
        Write(memory, a, i0, scale, x0, g0);
        if ((i1 & ~127) < a.Length) Write(memory, a, i1, scale, x1, g1);
        if ((i2 & ~127) < a.Length) Write(memory, a, i2, scale, x2, g2);
        if ((i3 & ~127) < a.Length) Write(memory, a, i3, scale, x3, g3);

        // A warp's lanes stay together.
        for (int i = i3 + apart; (i & ~127) < a.Length; i += apart)
            Write(memory, a, i, scale, Four.Load(memory, Place(a, a.IsSum != 0 ? a.Sum : a.X), i, a.Length), Four.Load(memory, a.Gain, i, a.Length));
    }

    private static float Scale(RmsNormArguments a, float squares) => Lane.Rsqrt((GroupReduce.Sum(squares) / a.Length) + a.Epsilon);

    // Byte offset of the group in a tensor.
    private static long Place(RmsNormArguments a, DeviceTensor tensor) => (tensor.Row(Grid.IdxY) + ((long)Grid.IdxX * a.Length)) * sizeof(float);

    private static Four Sum(DeviceMemory memory, RmsNormArguments a, int i, Four x, Four addend)
    {
        Four sum = new() { X = x.X + addend.X, Y = x.Y + addend.Y, Z = x.Z + addend.Z, W = x.W + addend.W };
        Four.Store(memory, Place(a, a.Sum), i, a.Length, sum);
        return sum;
    }

    private static void Write(DeviceMemory memory, RmsNormArguments a, int i, float scale, Four x, Four gain)
    {
        Four y = new() { X = x.X * scale * gain.X, Y = x.Y * scale * gain.Y, Z = x.Z * scale * gain.Z, W = x.W * scale * gain.W };
        Four.Store(memory, Place(a, a.Y), i, a.Length, y);
        if (a.Bytes.Are != 0) QuantiseActivations.Four(memory, a.Bytes, ((long)Grid.IdxY * a.Y.Cols) + ((long)Grid.IdxX * a.Length) + i, y.X, y.Y, y.Z, y.W, i < a.Length);
    }
}
