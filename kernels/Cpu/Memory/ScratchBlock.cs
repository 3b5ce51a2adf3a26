namespace Quern.Kernels.Cpu.Memory;

/// <summary>Memory for the inside of one operation: the next operation uses it again. It grows to the largest need and stays there.</summary>
internal sealed class ScratchBlock : IDisposable
{
    private NativeBlock? _block;

    /// <summary>At least <paramref name="bytes"/> bytes, aligned to 64, with any content.</summary>
    public nint Require(long bytes)
    {
        if (_block is null || _block.Bytes < bytes)
        {
            _block?.Dispose();
            _block = new NativeBlock(bytes);
        }

        return _block.Address;
    }

    public void Dispose()
    {
        _block?.Dispose();
        _block = null;
    }
}
