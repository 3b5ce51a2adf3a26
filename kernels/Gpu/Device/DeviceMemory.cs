using ILGPU;

namespace Quern.Kernels.Gpu;

/// <summary>
/// The arena as kernels see it, their first parameter: everything else is a byte offset in it, so that a kernel's arguments are plain numbers.
/// </summary>
internal readonly struct DeviceMemory(ArrayView<byte> bytes, ulong address)
{
    /// <summary>All of it.</summary>
    public readonly ArrayView<byte> Bytes = bytes;

    /// <summary>Address of the first byte, for loads written in PTX; meaningless on OpenCL.</summary>
    public readonly ulong Address = address;

    /// <summary>The arena as values.</summary>
    public ArrayView<float> Floats => Bytes.Cast<float>();

    /// <summary>The arena as 32-bit integers.</summary>
    public ArrayView<int> Ints => Bytes.Cast<int>();

    /// <summary>The arena as words.</summary>
    public ArrayView<uint> Words => Bytes.Cast<uint>();

    /// <summary>The arena as keys of 64 bits.</summary>
    public ArrayView<ulong> Keys => Bytes.Cast<ulong>();

    /// <summary>The arena as words of 16 bits.</summary>
    public ArrayView<ushort> Halves => Bytes.Cast<ushort>();
}

/// <summary>A tensor as kernels see it: <c>[rows, Cols]</c> binary32.</summary>
internal readonly struct DeviceTensor(long offset, int cols, int stride)
{
    /// <summary>Bytes from the beginning of the arena to the first value.</summary>
    public readonly long Offset = offset;

    /// <summary>Values in a row.</summary>
    public readonly int Cols = cols;

    /// <summary>Values from the beginning of a row to the next one's.</summary>
    public readonly int Stride = stride;

    /// <summary>Whether both are the same values.</summary>
    public bool Is(DeviceTensor other) => Offset == other.Offset && Cols == other.Cols && Stride == other.Stride;

    /// <summary>Whether no value of some rows is in the other too: other columns of the same rows, or other rows.</summary>
    public bool IsApart(DeviceTensor other, int rows)
    {
        (DeviceTensor low, DeviceTensor high) = Offset < other.Offset ? (this, other) : (other, this);
        long values = (high.Offset - low.Offset) / sizeof(float);
        return values >= (long)rows * low.Stride || (low.Stride == high.Stride && values >= low.Cols && values + high.Cols <= low.Stride);
    }

    /// <summary>Index of the first value of a row in <see cref="DeviceMemory.Floats"/>.</summary>
    public long Row(int row) => (Offset >> 2) + ((long)row * Stride);
}
