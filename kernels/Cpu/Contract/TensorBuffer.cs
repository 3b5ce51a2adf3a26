namespace Quern.Kernels.Cpu;

/// <summary>A tensor with memory of its own: see <see cref="Backend.Allocate"/>.</summary>
public abstract class TensorBuffer : IDisposable
{
    /// <summary>Makes the owner of <paramref name="tensor"/>.</summary>
    protected TensorBuffer(Tensor tensor) => Tensor = tensor;

    /// <summary>The dense tensor.</summary>
    public Tensor Tensor { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the memory.</summary>
    protected abstract void Dispose(bool disposing);
}
