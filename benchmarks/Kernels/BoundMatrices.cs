using System.Runtime.InteropServices;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Benchmarks.Kernels;

/// <summary>Matrices of a format that a back end has bound, with what memory they need.</summary>
internal sealed unsafe class BoundMatrices(CpuBackend backend, WeightFormat format) : IDisposable
{
    private readonly List<nint> _memory = [];

    /// <summary>Bytes of all weights as they are stored in a file.</summary>
    public long Bytes { get; private set; }

    /// <summary>One more.</summary>
    public WeightMatrix Add(int rows, int cols)
    {
        // Any bytes are weights; 0x11 keeps every scale small and finite.
        long size = format.Info.RowBytes(cols) * rows;
        void* blocks = NativeMemory.AlignedAlloc((nuint)size, 64);
        new Span<byte>(blocks, checked((int)size)).Fill(0x11);
        WeightMatrix matrix = backend.BindMatrix("w", format, 1, rows, cols, (nint)blocks);
        if (backend.Copies(format, cols, MatrixUse.Product)) NativeMemory.AlignedFree(blocks);
        else _memory.Add((nint)blocks);
        Bytes += size;
        return matrix;
    }

    public void Dispose()
    {
        foreach (nint address in _memory) NativeMemory.AlignedFree((void*)address);
        _memory.Clear();
    }
}
