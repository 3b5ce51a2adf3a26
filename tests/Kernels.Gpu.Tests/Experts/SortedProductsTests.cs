using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu.Experts;
using Quern.Kernels.Gpu.Gemm;
using Quern.Kernels.Gpu.Tests.Machine;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Tests.Experts;

/// <summary>Pairs sorted by expert, and products of their tiles on tensor cores, as the PTX says: beside products in double precision of the same values.</summary>
public sealed unsafe class SortedProductsTests
{
    private const int Experts = 40, TopK = 2, Tokens = 45, Pairs = Tokens * TopK, Rows = 9;

    [Theory]
    [InlineData("Q8_0", 96, 5, false, true)]
    [InlineData("F16", 40, 6, true, true)]
    [InlineData("Q4_K", 256, 6, true, false)]
    public void TilesOfPairsAsACardComputesThem(string name, int cols, int tileBits, bool isWarpgroups, bool byToken)
    {
        WeightFormat format = FormatTable.Find(name)!;
        using GpuDevice device = GpuDevice.Open(GpuKind.Simulated);
        using DeviceArena arena = new(device, 8 << 20);
        Random random = new(cols);
        int[] chosen = Chosen();
        float[] weights = Values(random, Experts * Rows * cols), x = Values(random, Pairs * cols), bias = Values(random, Experts * Rows), decoded = new float[weights.Length];
        byte[] blocks = new byte[format.Info.RowBytes(weights.Length)];
        format.Quantize(weights, [], blocks);
        long begin = arena.Offset(arena.Take(256, "begin"));
        DeviceMatrix matrix;
        fixed (byte* stored = blocks)
        {
            format.Decode((nint)stored, decoded);
            matrix = WeightUpload.Run(arena, DeviceFormatTable.Of(format, exact: false), "w", format, Experts, Rows, cols, (nint)stored);
        }

        long end = arena.Offset(arena.Take(256, "end"));
        Tensor input = new(arena.Take(Pairs * cols * sizeof(float), "x"), Pairs, cols, cols), output = new(arena.Take(Pairs * Rows * sizeof(float), "y"), Pairs, Rows, Rows);
        long choices = arena.Offset(arena.Take(Pairs * sizeof(int), "chosen")), biases = arena.Offset(arena.Take(bias.Length * sizeof(float), "bias"));
        int depth = isWarpgroups ? WarpgroupGemm.Depth : TensorGemm.Depth, width = (cols + depth - 1) / depth * depth, most = SortedPairs.MostTiles(Pairs, Experts, tileBits);
        SortedPairs sorted = new(arena.Offset(arena.Take(Pairs * sizeof(int), "order")), arena.Offset(arena.Take(most * 16, "tiles")));
        nint narrow = arena.Take((Pairs + 64) * width * sizeof(ushort), "x");
        arena.Write<float>(input.Address, x);
        arena.Write<int>(arena.Base + (nint)choices, chosen);
        arena.Write<float>(arena.Base + (nint)biases, bias);
        arena.Write<ushort>(narrow, Enumerable.Repeat((ushort)0xffff, (Pairs + 64) * width).ToArray());
        arena.Write<float>(output.Address, Enumerable.Repeat(float.NaN, Pairs * Rows).ToArray());

        PtxMachine.Run(SortPairs.Kernel, arena, new SortArguments(choices, Pairs, Experts, tileBits, most, sorted), 1, 1, 64);
        CheckTiles(arena, sorted, chosen, most, 1 << tileBits);
        ActivationOrder order = !isWarpgroups ? ActivationOrder.Plain : matrix.Layout.TakesBytes ? ActivationOrder.Blocks : ActivationOrder.Eights;
        NarrowPlaces places = new(arena.Offset(narrow), arena.Offset(arena.Take(Pairs * sizeof(float), "scales")));
        NarrowArguments narrowing = new(arena.Tensor(input), width, places, order, sorted, byToken ? TopK : 1);
        PtxMachine.Run(NarrowActivations.HalfKernel, arena, narrowing, 1, Pairs, 64);
        GemmArguments arguments = new(matrix.Planes, matrix.Factor, 0, places, Pairs, width, biases, arena.Tensor(output), sorted);
        PtxMachine.Run(Kernel(name), arena, arguments, most, 1, TensorGemm.Threads, begin, end);

        float[] y = new float[Pairs * Rows];
        arena.Read<float>(output.Address, y);
        for (int i = 0; i < y.Length; i++)
        {
            (int pair, int row) = (i / Rows, (chosen[i / Rows] * Rows) + (i % Rows));
            double sum = bias[row], squares = 0;
            for (int k = 0; k < cols; k++)
            {
                double product = (double)x[((byToken ? pair / TopK : pair) * cols) + k] * decoded[(row * cols) + k];
                (sum, squares) = (sum + product, squares + (product * product));
            }

            Assert.True(Math.Abs(sum - y[i]) < 0.004 * Math.Sqrt(squares), $"{y[i]} instead of {sum}, pair {pair}, row {i % Rows}");
        }
    }

    [Theory]
    [InlineData(4096, 128, 6)] // 32 each
    [InlineData(1024, 8, 7)] // 128 each
    [InlineData(4096, 8, 8)] // 512 each
    [InlineData(300, 128, 5)]
    public void TilesFollowThePairsOfAnExpert(int pairs, int experts, int bits) => Assert.Equal(bits, GpuBackend.TileBits(pairs, experts, 5, 8));

    // More than a tile for one expert, exactly one tile for none, nothing for some, and experts behind the first 32.
    private static int[] Chosen() => [.. Enumerable.Range(0, Pairs).Select(i => i % 5 == 1 ? 36 : i % 18 == 2 ? 3 + (i % 4) : i % 9 == 4 ? Experts - 1 : 33)];

    private static void CheckTiles(DeviceArena arena, SortedPairs sorted, int[] chosen, int most, int length)
    {
        int[] order = new int[Pairs], tiles = new int[4 * most];
        arena.Read<int>(arena.Base + (nint)sorted.Order, order);
        arena.Read<int>(arena.Base + (nint)sorted.Tiles, tiles);
        Assert.Equal(Enumerable.Range(0, Pairs), order.Order());
        int next = 0;
        foreach (int[] tile in tiles.Chunk(4).Where(tile => tile[2] > tile[1]))
        {
            Assert.Equal(next, tile[1]);
            Assert.InRange(tile[2] - tile[1], 1, length);
            Assert.All(order[tile[1]..tile[2]], pair => Assert.Equal(tile[0], chosen[pair]));
            next = tile[2];
        }

        Assert.Equal(Pairs, next);
    }

    private static Action<DeviceMemory, GemmArguments> Kernel(string name) => name switch
    {
        "Q8_0" => TensorGemm<BlockPanel<BytePlanes>, Tokens32>.Kernel,
        "F16" => WarpgroupGemm<FloatPanel<PlainF16>, Tokens64>.Kernel,
        _ => WarpgroupGemm<BlockPanel<Q4_KPlanes>, Tokens64>.Kernel,
    };

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) * 2)];
}
