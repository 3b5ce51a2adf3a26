using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Gemm;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu;

/// <summary>Products of many tokens, on tensor cores.</summary>
public sealed unsafe partial class GpuBackend
{
    /// <summary>Up to here weights are read once for eight tokens each; from here on once for all, as bfloat16.</summary>
    private const int MostGemvTokens = 16;

    private DeviceScratch? _narrow;
    private GpuKernel<NarrowArguments>? _narrowKernel;

    private void MultiplyMany(Tensor x, ReadOnlySpan<Product> products)
    {
        int width = (x.Cols + TensorGemm.Depth - 1) & -TensorGemm.Depth, threads = Threads(ElementThreads);
        _narrow ??= new DeviceScratch(_device, _arena, "activations as bfloat16");
        long narrow = _arena.Offset(_narrow.Require((long)x.Rows * width * sizeof(ushort)));
        _narrowKernel ??= new GpuKernel<NarrowArguments>(_device, NarrowActivations.Kernel);
        _narrowKernel.Run(_arena.Memory, new NarrowArguments(Place(x), width, narrow), Groups(width / 2, threads), x.Rows, threads);
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

    // The largest tiles that give most multiprocessors two groups, which decode and multiply in turn.
    private int Tiles(int tokens, int rows)
    {
        int wanted = _device.Accelerator.NumMultiprocessors * 3 / 2, groups = Groups(rows, TensorGemm.Rows);
        if (tokens > 64 && groups * Groups(tokens, 128) >= wanted) return 4;
        return tokens > 32 && groups * Groups(tokens, 64) >= wanted ? 2 : 1;
    }
}
