namespace Quern.Kernels.Cpu;

/// <summary>A tensor with memory of its own: see <see cref="Backend.Allocate"/>.</summary>
public abstract class TensorBuffer : IDisposable
{
    /// <summary>Makes the owner of <paramref name="tensor"/>.</summary>
    protected TensorBuffer(Tensor tensor) => Tensor = tensor;

    /// <summary>The dense tensor.</summary>
    public Tensor Tensor { get; }

    /// <summary>
    /// Rows as values of this process, for reading and for changing what was read: those of the tensor itself where they lie in this process's memory, otherwise a copy that holds until
    /// the next call.
    /// </summary>
    /// <param name="first">First row.</param>
    /// <param name="count">Number of rows.</param>
    public virtual Span<float> Read(int first, int count) => Tensor.AsSpan().Slice(first * Tensor.Cols, count * Tensor.Cols);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the memory.</summary>
    protected abstract void Dispose(bool disposing);
}
