using System.Diagnostics;
using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Selection;

namespace Quern.Kernels.Gpu;

/// <summary>The largest values of rows: what comes back of a step's logits.</summary>
public sealed unsafe partial class GpuBackend
{
    private GpuKernel<LargestArguments>? _largestOfParts, _largestOfRows;

    /// <inheritdoc/>
    public override bool SelectsLargest => true;

    /// <inheritdoc/>
    public override void Largest(Tensor x, int k, Tensor y)
    {
        Debug.Assert(k is > 0 and <= MostLargest && k <= x.Cols && x.Cols <= 1 << 24 && y.Cols > 2 * k, "as many as there are, and columns that are numbers in binary32");
        _largestOfParts ??= new GpuKernel<LargestArguments>(_device, SelectLargest.Parts);
        _largestOfRows ??= new GpuKernel<LargestArguments>(_device, SelectLargest.Rows);
        int length = Math.Max(SelectLargest.LeastPartLength, Groups(Groups(x.Cols, SelectLargest.MostParts), GpuDevice.WarpThreads) * GpuDevice.WarpThreads), parts = Groups(x.Cols, length);
        long all = (long)x.Rows * parts, place = _arena.Offset(_selected.Require(all * (sizeof(ulong) + sizeof(float))));
        LargestArguments arguments = new(Place(x), Place(y), k, length, parts, place, place + (all * sizeof(ulong)));
        int threads = Threads(ElementThreads);
        _largestOfParts.Run(_arena.Memory, arguments, Groups(parts, threads / GpuDevice.WarpThreads), x.Rows, threads);
        _largestOfRows.Run(_arena.Memory, arguments, 1, x.Rows, Threads(512));
    }
}
