using System.Runtime.InteropServices;

namespace Quern.Kernels.Cpu.Memory;

/// <summary>Native memory aligned to 64 bytes, zero when taken (large blocks page by page, when first touched), freed when disposed or, if forgotten, finalised.</summary>
internal sealed unsafe class NativeBlock : SafeHandle
{
    private const int Alignment = 64;

    /// <param name="bytes">Length in bytes.</param>
    public NativeBlock(long bytes)
        : base(0, ownsHandle: true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        SetHandle((nint)NativeMemory.AllocZeroed((nuint)bytes + Alignment));
    }

    /// <summary>Length in bytes.</summary>
    public long Bytes { get; }

    /// <summary>Address of the first byte.</summary>
    public nint Address => (handle + Alignment - 1) & -Alignment;

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        return true;
    }
}

/// <summary>A dense tensor in a <see cref="NativeBlock"/>.</summary>
internal sealed class NativeTensor : TensorBuffer
{
    private readonly NativeBlock _block;

    private NativeTensor(NativeBlock block, int rows, int cols)
        : base(new Tensor(block.Address, rows, cols, cols)) => _block = block;

    public static NativeTensor Create(int rows, int cols) => new(new NativeBlock((long)rows * cols * sizeof(float)), rows, cols);

    protected override void Dispose(bool disposing)
    {
        if (disposing) _block.Dispose();
    }
}
