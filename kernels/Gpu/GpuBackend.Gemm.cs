using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Gemm;
using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu;

/// <summary>Products of many tokens, on tensor cores.</summary>
public sealed unsafe partial class GpuBackend
{
    /// <summary>Up to here weights are read once for eight tokens each; from here on once for all, in 16 bits.</summary>
    private const int MostGemvTokens = 16;

    /// <summary>From here on warpgroups multiply, where there are any.</summary>
    private const int FewestWarpgroupTokens = 33;

    private DeviceScratch? _narrow;
    private GpuKernel<NarrowArguments>? _narrowBrains, _narrowHalves;

    private void MultiplyMany(Tensor x, ReadOnlySpan<Product> products)
    {
        if (_device.HasWarpgroups && x.Rows >= FewestWarpgroupTokens)
        {
            MultiplyByWarpgroups(x, products);
            return;
        }

        int width = RoundUp(x.Cols, TensorGemm.Depth);
        NarrowPlaces places = NarrowPlace(x.Rows, width);
        ActivationForm? there = null;
        foreach (Product product in products)
        {
            DeviceMatrix matrix = (DeviceMatrix)product.Weights;
            WeightKernels kernels = Kernels(matrix.Layout);
            Narrow(x, width, places, kernels.Form with { Order = ActivationOrder.Plain }, ref there);
            GemmArguments arguments = new(matrix.Planes, matrix.Factor, 0, places, x.Rows, width, Offset(product.Bias), Place(product.Y));
            if (_device.Kind != GpuKind.Cuda)
            {
                kernels.Gemm(1).Run(_arena.Memory, arguments, Groups(x.Rows, TensorGemm.PlainTokens), Groups(matrix.Rows, TensorGemm.PlainRows), GpuDevice.WarpThreads);
                continue;
            }

            int tiles = Tiles(x.Rows, matrix.Rows);
            kernels.Gemm(tiles).Run(_arena.Memory, arguments, Groups(x.Rows, 32 * tiles), Groups(matrix.Rows, TensorGemm.Rows), TensorGemm.Threads);
        }
    }

    private void MultiplyByWarpgroups(Tensor x, ReadOnlySpan<Product> products)
    {
        int width = RoundUp(x.Cols, WarpgroupGemm.Depth);
        NarrowPlaces places = NarrowPlace(RoundUp(x.Rows, WarpgroupGemm.MostTokens), width);
        ActivationForm? there = null;
        foreach (Product product in products)
        {
            DeviceMatrix matrix = (DeviceMatrix)product.Weights;
            Narrow(x, width, places, Kernels(matrix.Layout).Form, ref there);
            GemmArguments arguments = new(matrix.Planes, matrix.Factor, 0, places, x.Rows, width, Offset(product.Bias), Place(product.Y));
            WarpgroupPlan plan = new(x.Rows, matrix.Rows, _device.Accelerator.NumMultiprocessors);
            Run(matrix, arguments.OfRows(0, plan.Rows), plan.Tiles);
            Run(matrix, arguments.OfRows(plan.Rows, matrix.Rows - plan.Rows), plan.RestTiles);
        }
    }

    private void Run(DeviceMatrix matrix, GemmArguments arguments, int tiles) => Kernels(matrix.Layout).Warpgroups(tiles).Run(
        _arena.Memory, arguments, Groups(arguments.Tokens, 32 * tiles), Groups(arguments.Weights.Rows, WarpgroupGemm.Rows), WarpgroupGemm.Threads);

    private NarrowPlaces NarrowPlace(int rows, int width)
    {
        long bytes = (long)rows * width * sizeof(ushort);
        _narrow ??= new DeviceScratch(_device, _arena, "activations of 16 bits");
        long place = _arena.Offset(_narrow.Require(bytes + (rows * sizeof(float))));
        return new NarrowPlaces(place, place + bytes);
    }

    // Products of one kind of weights share what is there; those of another kind take its place.
    private void Narrow(Tensor x, int width, NarrowPlaces places, ActivationForm form, ref ActivationForm? there)
    {
        if (form != there) Narrow(new NarrowArguments(Place(x), width, places, form.Order), form.IsHalf, x.Rows);
        there = form;
    }

    private void Narrow(NarrowArguments arguments, bool isHalf, int rows)
    {
        int threads = Threads(ElementThreads);
        if (isHalf)
        {
            _narrowHalves ??= new GpuKernel<NarrowArguments>(_device, NarrowActivations.HalfKernel);
            _narrowHalves.Run(_arena.Memory, arguments, 1, rows, threads);
            return;
        }

        _narrowBrains ??= new GpuKernel<NarrowArguments>(_device, NarrowActivations.BrainKernel);
        _narrowBrains.Run(_arena.Memory, arguments, Groups(arguments.Width / 2, threads), rows, threads);
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
