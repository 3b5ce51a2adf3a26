using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Tensors of a pass, one behind the other in pieces of the arena that stay. The same requests give the same addresses in every pass, so that launches recorded once find
/// their tensors again.
/// </summary>
internal sealed class PassTensors(DeviceArena arena)
{
    private const long PieceBytes = 8 << 20;
    private const int Alignment = 256, ValuesApart = 8;
    private readonly List<(nint Address, long Bytes)> _pieces = [];
    private int _piece;
    private long _used;

    /// <summary>Takes everything back.</summary>
    public void Reset() => (_piece, _used) = (0, 0);

    /// <summary>A tensor whose rows begin at multiples of 32 bytes.</summary>
    public Tensor Take(int rows, int cols)
    {
        int stride = (cols + ValuesApart - 1) & -ValuesApart;
        long bytes = (((long)rows * stride * sizeof(float)) + Alignment - 1) & -Alignment;
        while (_piece < _pieces.Count && _used + bytes > _pieces[_piece].Bytes) (_piece, _used) = (_piece + 1, 0);
        if (_piece == _pieces.Count)
        {
            long size = Math.Max(PieceBytes, bytes);
            _pieces.Add((arena.Take(size, $"a pass over {rows} tokens"), size));
        }

        nint address = _pieces[_piece].Address + (nint)_used;
        _used += bytes;
        return new Tensor(address, rows, cols, stride);
    }
}

/// <summary>Memory for one operation, which the next one uses again: everything is in one stream.</summary>
internal sealed class DeviceScratch(GpuDevice device, DeviceArena arena, string what)
{
    private nint _address;
    private long _bytes;

    /// <summary>At least <paramref name="bytes"/>, at the same address while that is enough.</summary>
    public nint Require(long bytes)
    {
        if (bytes <= _bytes) return _address;
        if (_bytes != 0)
        {
            // What is in the stream still uses the piece.
            device.Synchronize();
            arena.Return(_address);
        }

        _bytes = Math.Max(bytes, 2 * _bytes);
        return _address = arena.Take(_bytes, what);
    }
}
