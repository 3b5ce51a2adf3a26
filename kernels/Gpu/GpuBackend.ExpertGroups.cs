using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Experts;
using Quern.Kernels.Gpu.Gemm;
using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Experts of many tokens: an expert's weights are multiplied with all of its tokens at once, tile by tile, on tensor cores. Who these are only the card knows, so that the launch has groups for the
/// worst case; those that have nothing to do end at once.
/// </summary>
public sealed unsafe partial class GpuBackend
{
    /// <summary>Up to so many pairs for each expert its weights are read again for each of them.</summary>
    private const int MostPairsApart = 2;

    /// <summary>What a tile costs beyond its tokens, in tokens: decoding weights, beginning and end.</summary>
    private const int TileCost = 64;

    private GpuKernel<SortArguments>? _sort;

    /// <summary>
    /// Tokens of a tile as the power of two from <paramref name="smallest"/> to <paramref name="largest"/> with the least cost. An expert of a tokens takes about a / t + 1/2 tiles of cost
    /// t + <see cref="TileCost"/> each, which is least at t² = 2 a · <see cref="TileCost"/>.
    /// </summary>
    internal static int TileBits(int pairs, int experts, int smallest, int largest)
    {
        int bits = smallest;
        while (bits < largest && (experts << (2 * bits)) < 2L * pairs * TileCost) bits++;
        return bits;
    }

    private void Sort(DeviceRoutes routes, int pairs, int experts)
    {
        routes.Tiles = 0;
        if (Mode == ComputeMode.Exact || pairs <= MostPairsApart * experts) return;
        routes.TileBits = _device.Kind == GpuKind.Cuda ? TileBits(pairs, experts, 5, _device.HasWarpgroups ? 8 : 7) : 3;
        routes.Tiles = SortedPairs.MostTiles(pairs, experts, routes.TileBits);
        _sort ??= new GpuKernel<SortArguments>(_device, SortPairs.Kernel);
        _sort.Run(_arena.Memory, new SortArguments(routes.Experts, pairs, experts, routes.TileBits, routes.Tiles, routes.Sorted), 1, 1, Threads(SortPairs.Threads));
    }

    private void MultiplySorted(Tensor x, bool byToken, DeviceMatrix matrix, WeightVector? bias, DeviceRoutes routes, int pairs, Tensor y)
    {
        // Tiles of 32 tokens are too small for warpgroups.
        bool isWarpgroups = _device.HasWarpgroups && routes.TileBits > 5;
        WeightKernels kernels = Kernels(matrix.Layout);
        int width = RoundUp(x.Cols, isWarpgroups ? WarpgroupGemm.Depth : TensorGemm.Depth);

        // Warpgroups read a whole tile, wherever it begins.
        NarrowPlaces places = NarrowPlace(pairs + WarpgroupGemm.MostTokens, width);
        ActivationOrder order = isWarpgroups ? kernels.Form.Order : ActivationOrder.Plain;
        Narrow(new NarrowArguments(Place(x), width, places, order, routes.Sorted, byToken ? routes.TopK : 1), kernels.Form.IsHalf, pairs);
        GemmArguments arguments = new(matrix.Planes, matrix.Factor, 0, places, pairs, width, Offset(bias), Place(y), routes.Sorted);
        if (_device.Kind != GpuKind.Cuda)
        {
            kernels.Gemm(1).Run(_arena.Memory, arguments, routes.Tiles, Groups(matrix.Rows, TensorGemm.PlainRows), GpuDevice.WarpThreads);
            return;
        }

        int tiles = 1 << (routes.TileBits - 5);
        GpuKernel<GemmArguments> kernel = isWarpgroups ? kernels.Warpgroups(tiles) : kernels.Gemm(tiles);
        kernel.Run(_arena.Memory, arguments, routes.Tiles, Groups(matrix.Rows, TensorGemm.Rows), TensorGemm.Threads);
    }
}
