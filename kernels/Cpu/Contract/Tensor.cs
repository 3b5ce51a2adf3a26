namespace Quern.Kernels.Cpu;

/// <summary>
/// A view of binary32 activations in a back end's memory: <c>[Rows, Cols]</c>, rows <see cref="Stride"/> values apart. Activations have one
/// row for each token of a batch. A view owns nothing; it lives as long as what it was taken from.
/// </summary>
/// <param name="Address">Address of the first value, in the memory of the back end that made it.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Cols">Values in a row.</param>
/// <param name="Stride">Values from the beginning of a row to the next one's.</param>
public readonly record struct Tensor(nint Address, int Rows, int Cols, int Stride)
{
    /// <summary>Columns <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> of every row, as when Q, K and V come from one product.</summary>
    public Tensor Columns(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, Cols);
        return new Tensor(Address + ((nint)first * sizeof(float)), Rows, count, Stride);
    }

    /// <summary>The first <paramref name="count"/> rows.</summary>
    public Tensor FirstRows(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Rows);
        return this with { Rows = count };
    }

    /// <summary>The values as a span; the tensor must be dense (<see cref="Stride"/> = <see cref="Cols"/>) and in the memory of this process.</summary>
    public unsafe Span<float> AsSpan()
    {
        if (Stride != Cols && Rows > 1) throw new InvalidOperationException("a strided tensor is not one span");
        return new Span<float>((float*)Address, checked(Rows * Cols));
    }

    /// <summary>Row <paramref name="index"/> as a span, in the memory of this process.</summary>
    public unsafe Span<float> Row(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Rows);
        return new Span<float>((float*)Address + ((nint)index * Stride), Cols);
    }
}
