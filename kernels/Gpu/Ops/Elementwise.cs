using ILGPU;
using Quern.Kernels.Gpu.MatMul;

namespace Quern.Kernels.Gpu.Ops;

/// <summary>What <see cref="Elementwise"/> computes of a, b and c.</summary>
internal enum ElementwiseKind
{
    /// <summary><c>f(a) · b</c>.</summary>
    Gate,

    /// <summary><c>f(a)</c>.</summary>
    Activate,

    /// <summary><c>a / (1 + e^−b)</c>, b the first value of the row.</summary>
    GateRow,

    /// <summary><c>a + b</c>.</summary>
    Add,

    /// <summary><c>a · p</c>.</summary>
    Scale,

    /// <summary><c>min(max(a, −p), p)</c>.</summary>
    Clamp,

    /// <summary><c>p · tanh(a / p)</c>.</summary>
    SoftCap,

    /// <summary><c>a + (b − a) · c</c>.</summary>
    Lerp,
}

/// <summary>Arguments of <see cref="Elementwise"/>: tensors of one shape; a stride of 0 repeats a row.</summary>
internal readonly struct ElementwiseArguments(ElementwiseKind kind, int activation, float p, DeviceTensor a, DeviceTensor b, DeviceTensor c, DeviceTensor y)
{
    public readonly int Kind = (int)kind;
    public readonly int Activation = activation;
    public readonly float P = p;
    public readonly DeviceTensor A = a;
    public readonly DeviceTensor B = b;
    public readonly DeviceTensor C = c;
    public readonly DeviceTensor Y = y;

    /// <summary>Where y goes in bytes besides.</summary>
    public QuantisedPlaces Bytes { get; init; }
}

/// <summary>Operations value by value; the destination may be a source. Grid: (columns over threads of a group, rows).</summary>
internal static class Elementwise
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">What to compute, of what.</param>
    public static void Kernel(DeviceMemory memory, ElementwiseArguments a)
    {
        int col = (Grid.IdxX * Group.DimX) + Group.IdxX, row = Grid.IdxY;
        if (col >= a.Y.Cols) return;
        ArrayView<float> floats = memory.Floats;
        float x = floats[a.A.Row(row) + col], y;
        if (a.Kind == (int)ElementwiseKind.Gate) y = Activations.Apply(a.Activation, x) * Activations.Other(a.Activation, floats[a.B.Row(row) + col]);
        else if (a.Kind == (int)ElementwiseKind.Activate) y = Activations.Apply(a.Activation, x);
        else if (a.Kind == (int)ElementwiseKind.GateRow) y = x * Activations.Sigmoid(floats[a.B.Row(row)]);
        else if (a.Kind == (int)ElementwiseKind.Add) y = x + floats[a.B.Row(row) + col];
        else if (a.Kind == (int)ElementwiseKind.Scale) y = x * a.P;
        else if (a.Kind == (int)ElementwiseKind.Clamp) y = IntrinsicMath.Min(IntrinsicMath.Max(x, -a.P), a.P);
        else if (a.Kind == (int)ElementwiseKind.SoftCap) y = a.P * Activations.Tanh(x / a.P);
        else y = x + ((floats[a.B.Row(row) + col] - x) * floats[a.C.Row(row) + col]);
        floats[a.Y.Row(row) + col] = y;
        if (a.Bytes.Are != 0) QuantiseActivations.Block(memory, a.Bytes, ((long)row * (a.Y.Cols >> 5)) + (col >> 5), y);
    }
}
