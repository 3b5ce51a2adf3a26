using Quern.Kernels.Cpu.Memory;

namespace Quern.Trainer.Products;

/// <summary>Numbers in native memory, aligned to 64 bytes and zero when taken.</summary>
internal sealed unsafe class Values<T>(long length) : IDisposable
    where T : unmanaged
{
    private readonly NativeBlock _block = new(length * sizeof(T));

    /// <summary>How many.</summary>
    public long Length { get; } = length;

    /// <summary>The first.</summary>
    public T* First => (T*)_block.Address;

    /// <summary>A part of them.</summary>
    public Span<T> Span(long offset, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + count, Length);
        return new Span<T>(First + offset, count);
    }

    /// <summary>All of them; at most 2³¹ − 1.</summary>
    public Span<T> All => Span(0, checked((int)Length));

    /// <summary>Sets every one to zero.</summary>
    public void Clear()
    {
        for (long done = 0; done < Length; done += int.MaxValue) new Span<T>(First + done, (int)Math.Min(int.MaxValue, Length - done)).Clear();
    }

    public void Dispose() => _block.Dispose();
}
