using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>
/// One buffer of the device's memory, given out in pieces aligned to 256 bytes. Addresses are those of the device (on OpenCL, which has none, offsets from
/// <see cref="NoAddress"/>), so that <see cref="Tensor.Address"/> and <see cref="WeightMatrix.Address"/> hold them; kernels get byte offsets. Pieces that are given back
/// are given out again; neighbours are joined.
/// </summary>
internal sealed class DeviceArena : IDisposable
{
    private const int Alignment = 256;
    private const int StagingBytes = 4 << 20;
    private const long NoAddress = 4096;

    // Kernels may read, and not use, so much behind the last piece.
    private const long Behind = 8192;
    private readonly GpuDevice _device;
    private readonly MemoryBuffer1D<byte, Stride1D.Dense> _buffer;
    private readonly PageLockedArray1D<byte> _staging;
    private readonly List<(long Offset, long Bytes)> _free = [];
    private readonly Dictionary<long, long> _taken = [];

    /// <param name="device">The device.</param>
    /// <param name="bytes">How much memory to take from it.</param>
    public DeviceArena(GpuDevice device, long bytes)
    {
        _device = device;
        bytes = Aligned(bytes);
        try
        {
            _buffer = device.Accelerator.Allocate1D<byte>(bytes + Behind);
        }
        catch (Exception error) when (error is not GpuException)
        {
            throw new GpuException($"the card gave no {GpuDevice.MiB(bytes)} MiB of memory; {GpuDevice.MiB(device.FreeBytes)} MiB are free. Try fewer layers on the card (--gpu-layers) or end other programs that use it", error);
        }

        _staging = device.Accelerator.AllocatePageLocked1D<byte>(StagingBytes);
        Bytes = bytes;
        device.TakenBytes += bytes;
        Base = device.Kind == GpuKind.OpenCl ? (nint)NoAddress : _buffer.NativePtr;
        _free.Add((0, bytes));
        Memory = new DeviceMemory(_buffer.View.AsContiguous(), (ulong)Base);
    }

    /// <summary>Address of the first byte.</summary>
    public nint Base { get; }

    /// <summary>Bytes of the whole.</summary>
    public long Bytes { get; }

    /// <summary>Bytes not given out.</summary>
    public long FreeBytes => _free.Sum(piece => piece.Bytes);

    /// <summary>What kernels take.</summary>
    public DeviceMemory Memory { get; }

    /// <summary>Takes a piece.</summary>
    /// <param name="bytes">Its size.</param>
    /// <param name="what">What for, for messages.</param>
    /// <returns>Its address.</returns>
    public nint Take(long bytes, string what)
    {
        bytes = Aligned(Math.Max(bytes, 1));
        for (int i = 0; i < _free.Count; i++)
        {
            (long offset, long free) = _free[i];
            if (free < bytes) continue;
            if (free == bytes) _free.RemoveAt(i);
            else _free[i] = (offset + bytes, free - bytes);
            _taken.Add(offset, bytes);
            return Base + (nint)offset;
        }

        throw new GpuException(
            $"{what} needs {GpuDevice.MiB(bytes)} MiB of the card's memory; {GpuDevice.MiB(FreeBytes)} of the {GpuDevice.MiB(Bytes)} MiB taken from it are free. " +
            "Try fewer layers on the card (--gpu-layers), a smaller cache (--ctx-size, --kv-type q8_0) or weights of fewer bits");
    }

    /// <summary>Gives a piece back. Work that uses it and is in the stream is done before the piece is written again, because that is in the stream too.</summary>
    public void Return(nint address)
    {
        long offset = Offset(address);
        if (!_taken.Remove(offset, out long bytes)) throw new ArgumentException("not the beginning of a piece that was taken", nameof(address));
        int at = _free.FindIndex(piece => piece.Offset > offset);
        if (at < 0) at = _free.Count;
        _free.Insert(at, (offset, bytes));
        if (at + 1 < _free.Count && offset + bytes == _free[at + 1].Offset)
        {
            _free[at] = (offset, bytes + _free[at + 1].Bytes);
            _free.RemoveAt(at + 1);
        }

        if (at > 0 && _free[at - 1].Offset + _free[at - 1].Bytes == offset)
        {
            _free[at - 1] = (_free[at - 1].Offset, _free[at - 1].Bytes + _free[at].Bytes);
            _free.RemoveAt(at);
        }
    }

    /// <summary>Bytes from the beginning of the arena to an address in it.</summary>
    public long Offset(nint address) => address - Base;

    /// <summary>A tensor as kernels see it.</summary>
    public DeviceTensor Tensor(Tensor tensor) => new(Offset(tensor.Address), tensor.Cols, tensor.Stride);

    /// <summary>Part of the arena as a view, for copies.</summary>
    public ArrayView<T> View<T>(nint address, long length)
        where T : unmanaged => _buffer.View.SubView(Offset(address), length * Interop.SizeOf<T>()).AsContiguous().Cast<T>();

    /// <summary>Copies to the device, behind everything in the stream; the source may be changed when this returns.</summary>
    public void Write<T>(nint address, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values);
        for (int done = 0; done < bytes.Length;)
        {
            int count = Math.Min(StagingBytes, bytes.Length - done);
            // What was staged before has to have left.
            _device.Stream.Synchronize();
            bytes.Slice(done, count).CopyTo(_staging.Span);
            Put(address + done, _staging, count);
            done += count;
        }
    }

    /// <summary>Copies from the device, behind everything in the stream, and waits for it.</summary>
    public void Read<T>(nint address, Span<T> values)
        where T : unmanaged
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(values);
        for (int done = 0; done < bytes.Length;)
        {
            int count = Math.Min(StagingBytes, bytes.Length - done);
            Get(address + done, _staging, 0, count);
            _device.Stream.Synchronize();
            _staging.Span[..count].CopyTo(bytes[done..]);
            done += count;
        }
    }

    /// <summary>Puts a copy to the device into the stream; the source stays as it is until the stream is empty.</summary>
    public void Put<T>(nint address, PageLockedArray1D<T> source, int count)
        where T : unmanaged
    {
        // Between views the package's OpenCL copies as many bytes as the source's buffer has.
        if (_device.Kind == GpuKind.OpenCl) View<T>(address, count).CopyFromCPUUnsafeAsync(_device.Stream, ref source.Span[0], count);
        else View<T>(address, count).CopyFrom(_device.Stream, source.ArrayView.SubView(0, count));
    }

    /// <summary>Puts a copy from the device into the stream.</summary>
    public void Get<T>(nint address, PageLockedArray1D<T> destination, int first, int count)
        where T : unmanaged
    {
        if (_device.Kind == GpuKind.OpenCl) View<T>(address, count).CopyToCPUUnsafeAsync(_device.Stream, ref destination.Span[first], count);
        else View<T>(address, count).CopyTo(_device.Stream, destination.ArrayView.SubView(first, count));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _staging.Dispose();
        _buffer.Dispose();
        _device.TakenBytes -= Bytes;
    }

    private static long Aligned(long bytes) => (bytes + Alignment - 1) & -Alignment;
}
