using ILGPU.Runtime;
using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>A tensor of its own on the card, with a mirror in page-locked memory that reads come in.</summary>
internal sealed class DeviceTensorBuffer(GpuDevice device, DeviceArena arena, int rows, int cols)
    : TensorBuffer(new Tensor(arena.Take((long)rows * cols * sizeof(float), $"a tensor of {rows} × {cols}"), rows, cols, cols))
{
    private PageLockedArray1D<float>? _mirror;

    public override Span<float> Read(int first, int count)
    {
        if (count == 0) return [];
        _mirror ??= device.Accelerator.AllocatePageLocked1D<float>((long)Tensor.Rows * Tensor.Cols);
        int start = first * Tensor.Cols, length = count * Tensor.Cols;
        arena.Get(Tensor.Address + ((nint)start * sizeof(float)), _mirror, start, length);
        device.Synchronize();
        return _mirror.Span.Slice(start, length);
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        _mirror?.Dispose();
        arena.Return(Tensor.Address);
    }
}
