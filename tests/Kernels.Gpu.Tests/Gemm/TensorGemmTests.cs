using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu.Gemm;
using Quern.Kernels.Gpu.Tests.Machine;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Tests.Gemm;

/// <summary>The product on tensor cores as its PTX says, run by the machine, and in plain code: beside products in double precision of the same values.</summary>
public sealed unsafe class TensorGemmTests : DeviceTests
{
    [Theory]
    [InlineData("BF16", 3, 130, 72)]
    [InlineData("F16", 70, 40, 200)]
    [InlineData("F32", 33, 5, 36)]
    [InlineData("Q8_0", 130, 129, 96)]
    [InlineData("Q4_0", 40, 17, 160)]
    [InlineData("Q4_K", 65, 20, 256)]
    [InlineData("Q5_K", 20, 9, 256)]
    [InlineData("Q6_K", 20, 9, 512)]
    [InlineData("IQ4_XS", 20, 9, 256)]
    [InlineData("MXFP4", 20, 9, 96)]
    public void AProductAsACardComputesIt(string name, int tokens, int rows, int cols)
    {
        WeightFormat format = FormatTable.Find(name)!;
        using GpuDevice device = Devices.Open(GpuKind.Simulated);
        using DeviceArena arena = new(device, 8 << 20);
        Random random = new(tokens);
        float[] weights = Values(random, rows * cols), x = Values(random, tokens * cols), bias = Values(random, rows), decoded = new float[rows * cols];
        byte[] blocks = new byte[format.Info.RowBytes(rows * cols)];

        // Some matrices have weights that binary16 cannot hold, some such small ones that they would be nothing.
        for (int i = 0; i < weights.Length; i++) weights[i] *= name switch { "Q4_0" => 1e5f, "MXFP4" => 1e-8f, _ => 1 };
        format.Quantize(weights, [], blocks);
        long begin = arena.Offset(arena.Take(256, "begin"));
        DeviceMatrix matrix;
        fixed (byte* stored = blocks)
        {
            format.Decode((nint)stored, decoded);
            matrix = WeightUpload.Run(arena, DeviceFormatTable.Of(format, exact: false), "w", format, 1, rows, cols, (nint)stored);
        }

        long end = arena.Offset(arena.Take(256, "end"));
        Tensor input = Tensor(arena, tokens, cols), output = Tensor(arena, tokens, rows);
        nint biases = arena.Take(rows * sizeof(float), "bias");

        // Some tokens are larger than binary16 can be, some so small that it would lose digits.
        bool isHalf = matrix.Layout.Name is not ("F32" or "BF16");
        for (int i = 0; i < x.Length; i++) x[i] *= (i / cols % 4) switch { 1 => 3e5f, 2 => 1e-6f, _ => 1 };
        arena.Write<float>(input.Address, x);
        arena.Write<float>(biases, bias);
        foreach ((int tiles, bool isWarpgroups) in new[] { (1, false), (2, false), (4, false), (2, true), (4, true), (8, true) })
        {
            int depth = isWarpgroups ? WarpgroupGemm.Depth : TensorGemm.Depth, width = (cols + depth - 1) / depth * depth, groups = (tokens + (32 * tiles) - 1) / (32 * tiles);
            ActivationOrder order = !isWarpgroups ? ActivationOrder.Plain : matrix.Layout.TakesBytes ? ActivationOrder.Blocks : ActivationOrder.Eights;
            nint narrow = arena.Take(groups * 32 * tiles * width * sizeof(ushort), "x");
            arena.Write<ushort>(narrow, Enumerable.Repeat((ushort)0xffff, groups * 32 * tiles * width).ToArray());
            NarrowPlaces places = new(arena.Offset(narrow), arena.Offset(arena.Take(tokens * sizeof(float), "scales")));
            NarrowArguments narrowing = new(arena.Tensor(input), width, places, order);
            if (isHalf) PtxMachine.Run(NarrowActivations.HalfKernel, arena, narrowing, 1, tokens, 64);
            else PtxMachine.Run(NarrowActivations.BrainKernel, arena, narrowing, 1, tokens, width / 2);
            GemmArguments arguments = new(matrix.Planes, matrix.Factor, 0, places, tokens, width, arena.Offset(biases), arena.Tensor(output));
            arena.Write<float>(output.Address, Enumerable.Repeat(float.NaN, tokens * rows).ToArray());
            int first = isWarpgroups ? Math.Min(rows, 128) : rows;
            PtxMachine.Run(Kernel(matrix.Layout.Name, tiles, isWarpgroups), arena, arguments.OfRows(0, first), groups, (first + 127) / 128, TensorGemm.Threads, begin, end);
            PtxMachine.Run(Kernel(matrix.Layout.Name, tiles, isWarpgroups), arena, arguments.OfRows(first, rows - first), groups, (rows - first + 127) / 128, TensorGemm.Threads, begin, end);
            Check(arena, output, x, decoded, bias, isHalf ? 0.004 : 0.02);
        }
    }

    // Factors are rounded to eight bits or to eleven; scales and minimums are too, each for many weights.
    private static void Check(DeviceArena arena, Tensor output, float[] x, float[] weights, float[] bias, double tolerance)
    {
        int cols = weights.Length / output.Cols;
        float[] y = new float[output.Rows * output.Cols];
        arena.Read<float>(output.Address, y);
        for (int i = 0; i < y.Length; i++)
        {
            (int token, int row) = (i / output.Cols, i % output.Cols);
            double sum = bias[row], squares = 0;
            for (int k = 0; k < cols; k++)
            {
                double product = (double)x[(token * cols) + k] * weights[(row * cols) + k];
                (sum, squares) = (sum + product, squares + (product * product));
            }

            double allowed = (tolerance * Math.Sqrt(squares)) + (1e-6 * Math.Abs(bias[row]));
            Assert.True(Math.Abs(sum - y[i]) <= allowed, $"[{token}, {row}] is {y[i]} instead of {sum}: off by {Math.Abs(sum - y[i]) / Math.Sqrt(squares):g3} of the root of the squares");
        }
    }

    private static Action<DeviceMemory, GemmArguments> Kernel(string layout, int tiles, bool isWarpgroups) => layout switch
    {
        "F32" => Kernel<FloatPanel<PlainF32>>(tiles, isWarpgroups),
        "F16" => Kernel<FloatPanel<PlainF16>>(tiles, isWarpgroups),
        "BF16" => Kernel<FloatPanel<PlainBF16>>(tiles, isWarpgroups),
        "Q4_0" => Kernel<BlockPanel<Q4_0Planes>>(tiles, isWarpgroups),
        "Q8_0" => Kernel<BlockPanel<BytePlanes>>(tiles, isWarpgroups),
        "Q4_K" => Kernel<BlockPanel<Q4_KPlanes>>(tiles, isWarpgroups),
        "Q5_K" => Kernel<BlockPanel<Q5_KPlanes>>(tiles, isWarpgroups),
        "Q6_K" => Kernel<BlockPanel<Q6_KPlanes>>(tiles, isWarpgroups),
        "IQ4_XS" => Kernel<BlockPanel<IQ4_XSPlanes>>(tiles, isWarpgroups),
        _ => Kernel<BlockPanel<MXFP4Planes>>(tiles, isWarpgroups),
    };

    private static Action<DeviceMemory, GemmArguments> Kernel<T>(int tiles, bool isWarpgroups)
        where T : unmanaged, IWeightPanel => (tiles, isWarpgroups) switch
        {
            (1, _) => TensorGemm<T, Tokens32>.Kernel,
            (2, false) => TensorGemm<T, Tokens64>.Kernel,
            (4, false) => TensorGemm<T, Tokens128>.Kernel,
            (2, true) => WarpgroupGemm<T, Tokens64>.Kernel,
            (4, true) => WarpgroupGemm<T, Tokens128>.Kernel,
            _ => WarpgroupGemm<T, Tokens256>.Kernel,
        };

    private static Tensor Tensor(DeviceArena arena, int rows, int cols) => new(arena.Take(rows * cols * sizeof(float), "a tensor"), rows, cols, cols);

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) * 2)];
}
