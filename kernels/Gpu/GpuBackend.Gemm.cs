using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Gemm;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu;

/// <summary>Products of many tokens, on tensor cores.</summary>
public sealed unsafe partial class GpuBackend
{
    /// <summary>Up to here weights are read once for eight tokens each; from here on once for all, as bfloat16.</summary>
    private const int MostGemvTokens = 16;

    /// <summary>From here on warpgroups multiply, where there are any.</summary>
    private const int FewestWarpgroupTokens = 33;

    private DeviceScratch? _narrow;
    private GpuKernel<NarrowArguments>? _narrowKernel;

    private void MultiplyMany(Tensor x, ReadOnlySpan<Product> products)
    {
        if (_device.HasWarpgroups && x.Rows >= FewestWarpgroupTokens)
        {
            MultiplyByWarpgroups(x, products);
            return;
        }

        int width = RoundUp(x.Cols, TensorGemm.Depth);
        long narrow = Narrow(x, width, NarrowPlace((long)x.Rows * width * sizeof(ushort)), ActivationOrder.Plain);
        foreach (Product product in products)
        {
            DeviceMatrix matrix = (DeviceMatrix)product.Weights;
            GemmArguments arguments = new(matrix.Planes, 0, narrow, x.Rows, width, Offset(product.Bias), Place(product.Y));
            if (_device.Kind != GpuKind.Cuda)
            {
                Kernels(matrix.Layout).Gemm(1).Run(
                    _arena.Memory, arguments, Groups(x.Rows, TensorGemm.PlainTokens), Groups(matrix.Rows, TensorGemm.PlainRows), GpuDevice.WarpThreads);
                continue;
            }

            int tiles = Tiles(x.Rows, matrix.Rows);
            Kernels(matrix.Layout).Gemm(tiles).Run(_arena.Memory, arguments, Groups(x.Rows, 32 * tiles), Groups(matrix.Rows, TensorGemm.Rows), TensorGemm.Threads);
        }
    }

    private void MultiplyByWarpgroups(Tensor x, ReadOnlySpan<Product> products)
    {
        int width = RoundUp(x.Cols, WarpgroupGemm.Depth);
        long bytes = (long)RoundUp(x.Rows, WarpgroupGemm.MostTokens) * width * sizeof(ushort), place = NarrowPlace(2 * bytes), blocks = -1, eights = -1;
        foreach (Product product in products)
        {
            DeviceMatrix matrix = (DeviceMatrix)product.Weights;
            bool isBlocks = Kernels(matrix.Layout).Order == ActivationOrder.Blocks;
            if (isBlocks && blocks < 0) blocks = Narrow(x, width, place, ActivationOrder.Blocks);
            if (!isBlocks && eights < 0) eights = Narrow(x, width, place + bytes, ActivationOrder.Eights);
            GemmArguments arguments = new(matrix.Planes, 0, isBlocks ? blocks : eights, x.Rows, width, Offset(product.Bias), Place(product.Y));
            WarpgroupPlan plan = new(x.Rows, matrix.Rows, _device.Accelerator.NumMultiprocessors);
            Run(matrix, arguments.OfRows(0, plan.Rows), plan.Tiles);
            Run(matrix, arguments.OfRows(plan.Rows, matrix.Rows - plan.Rows), plan.RestTiles);
        }
    }

    private void Run(DeviceMatrix matrix, GemmArguments arguments, int tiles) => Kernels(matrix.Layout).Warpgroups(tiles).Run(
        _arena.Memory, arguments, Groups(arguments.Tokens, 32 * tiles), Groups(arguments.Weights.Rows, WarpgroupGemm.Rows), WarpgroupGemm.Threads);

    private long NarrowPlace(long bytes)
    {
        _narrow ??= new DeviceScratch(_device, _arena, "activations as bfloat16");
        return _arena.Offset(_narrow.Require(bytes));
    }

    private long Narrow(Tensor x, int width, long place, ActivationOrder order)
    {
        Narrow(new NarrowArguments(Place(x), width, place, order), x.Rows);
        return place;
    }

    private void Narrow(NarrowArguments arguments, int rows)
    {
        int threads = Threads(ElementThreads);
        _narrowKernel ??= new GpuKernel<NarrowArguments>(_device, NarrowActivations.Kernel);
        _narrowKernel.Run(_arena.Memory, arguments, Groups(arguments.Width / 2, threads), rows, threads);
    }

    private static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;

    // The largest tiles that give most multiprocessors two groups, which decode and multiply in turn.
    private int Tiles(int tokens, int rows)
    {
        int wanted = _device.Accelerator.NumMultiprocessors * 3 / 2, groups = Groups(rows, TensorGemm.Rows);
        if (tokens > 64 && groups * Groups(tokens, 128) >= wanted) return 4;
        return tokens > 32 && groups * Groups(tokens, 64) >= wanted ? 2 : 1;
    }
}
