namespace Quern.Kernels.Cpu.Memory;

/// <summary>
/// Memory for the tensors of one pass: taken by moving a mark, given back all at once. What a pass needed beyond the first block is merged into one
/// block at the next <see cref="Reset"/>, so that a decode step takes no memory from the system.
/// </summary>
internal sealed class PassArena : IDisposable
{
    private readonly List<NativeBlock> _blocks = [];
    private long _used;

    /// <summary>Gives everything back.</summary>
    public void Reset()
    {
        _used = 0;
        if (_blocks.Count < 2) return;
        long total = 0;
        foreach (NativeBlock block in _blocks) total += block.Bytes;
        Dispose();
        _blocks.Add(new NativeBlock(total));
    }

    /// <summary>Takes <paramref name="bytes"/> bytes, aligned to 64.</summary>
    public nint Take(long bytes)
    {
        bytes = (bytes + 63) & ~63L;
        if (_blocks.Count == 0 || _used + bytes > _blocks[^1].Bytes)
        {
            _blocks.Add(new NativeBlock(Math.Max(bytes, 1 << 20)));
            _used = 0;
        }

        nint address = _blocks[^1].Address + (nint)_used;
        _used += bytes;
        return address;
    }

    /// <summary>Takes a tensor. Rows a multiple of 4096 bytes apart would all fall into one set of the first-level cache, so those are set 64 bytes further apart.</summary>
    public Tensor Take(int rows, int cols)
    {
        int stride = rows > 1 && cols % 1024 == 0 ? cols + 16 : cols;
        return new Tensor(Take((long)rows * stride * sizeof(float)), rows, cols, stride);
    }

    public void Dispose()
    {
        foreach (NativeBlock block in _blocks) block.Dispose();
        _blocks.Clear();
    }
}
