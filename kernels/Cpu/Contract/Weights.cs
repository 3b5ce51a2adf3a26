using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu;

/// <summary>
/// A weight matrix <c>[Count, Rows, Cols]</c> in a stored format: a row holds the weights of one output, so that <c>y = x Wᵀ</c>.
/// <see cref="Count"/> is 1, or the number of experts stacked in one tensor.
/// </summary>
/// <param name="Name">The tensor's name in its file, for messages.</param>
/// <param name="Format">How the values are stored.</param>
/// <param name="Count">Matrices stacked (experts).</param>
/// <param name="Rows">Outputs.</param>
/// <param name="Cols">Inputs; a multiple of the format's block length.</param>
/// <param name="Address">Address of the first block; rows follow each other without gaps.</param>
public record WeightMatrix(string Name, WeightFormat Format, int Count, int Rows, int Cols, nint Address)
{
    /// <summary>A copy of the matrix in the order in which kernels read it, or null where they read it as stored.</summary>
    internal InterleavedWeights? Interleaved { get; init; }

    /// <summary>Bytes of one row.</summary>
    public long RowBytes => Format.Info.RowBytes(Cols);

    /// <summary>Bytes of the whole.</summary>
    public long Bytes => RowBytes * Rows * Count;

    /// <summary>Address of matrix <paramref name="index"/> of the stack.</summary>
    public nint Matrix(int index) => Address + (nint)(RowBytes * Rows * index);
}

/// <summary>What a matrix is bound for.</summary>
public enum MatrixUse
{
    /// <summary>Products, and rows by number.</summary>
    Product,

    /// <summary>Rows by number only: a table of embeddings.</summary>
    Lookup,
}

/// <summary>A vector of binary32 weights (a norm's gain, a bias, rope factors), or a stack of them.</summary>
/// <param name="Name">The tensor's name in its file.</param>
/// <param name="Length">Number of values.</param>
/// <param name="Address">Address of the first value.</param>
public sealed record WeightVector(string Name, int Length, nint Address)
{
    /// <summary>The values, in the memory of this process.</summary>
    public unsafe ReadOnlySpan<float> AsSpan() => new((float*)Address, Length);
}
