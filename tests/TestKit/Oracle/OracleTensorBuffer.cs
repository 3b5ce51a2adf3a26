using System.Runtime.InteropServices;
using Quern.Kernels.Cpu;

namespace Quern.TestKit.Oracle;

/// <summary>Memory from the C runtime, full of NaN.</summary>
internal sealed unsafe class OracleTensorBuffer : TensorBuffer
{
    private bool _freed;

    public OracleTensorBuffer(int rows, int cols)
        : base(new Tensor((nint)NativeMemory.AlignedAlloc((nuint)Math.Max(1, rows) * (nuint)cols * sizeof(float), 64), rows, cols, cols)) =>
        Tensor.AsSpan().Fill(float.NaN);

    protected override void Dispose(bool disposing)
    {
        if (!_freed) NativeMemory.AlignedFree((void*)Tensor.Address);
        _freed = true;
    }
}
