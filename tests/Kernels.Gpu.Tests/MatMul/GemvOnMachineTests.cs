using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Tests.Machine;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Tests.MatMul;

/// <summary>Products of few tokens as their PTX says: byte products, picked bytes and streamed loads, which the simulation replaces by plain code.</summary>
public sealed unsafe class GemvOnMachineTests : DeviceTests
{
    [Theory]
    [InlineData("F16", 72)]
    [InlineData("BF16", 1032)]
    [InlineData("Q4_0", 2112)]
    [InlineData("Q8_0", 96)]
    [InlineData("Q4_K", 512)]
    [InlineData("Q5_K", 256)]
    [InlineData("Q6_K", 256)]
    [InlineData("IQ4_XS", 256)]
    [InlineData("MXFP4", 96)]
    public void AProductAsACardComputesIt(string name, int cols)
    {
        const int Rows = 7, Tokens = 3, Warps = 4;
        WeightFormat format = FormatTable.Find(name)!;
        using GpuDevice device = Devices.Open(GpuKind.Simulated);
        using DeviceArena arena = new(device, 4 << 20);
        Random random = new(cols);
        float[] weights = Values(random, Rows * cols), x = Values(random, Tokens * cols), decoded = new float[Rows * cols];
        byte[] blocks = new byte[format.Info.RowBytes(Rows * cols)];
        format.Quantize(weights, [], blocks);
        DeviceMatrix matrix;
        fixed (byte* stored = blocks)
        {
            format.Decode((nint)stored, decoded);
            matrix = WeightUpload.Run(arena, DeviceFormatTable.Of(format, exact: false), "w", format, 1, Rows, cols, (nint)stored);
        }

        Tensor input = new(arena.Take(Tokens * cols * sizeof(float), "x"), Tokens, cols, cols), output = new(arena.Take(Tokens * Rows * sizeof(float), "y"), Tokens, Rows, Rows);
        long quants = arena.Offset(arena.Take(2L * Tokens * cols, "bytes")), scales = quants + (Tokens * cols);
        arena.Write<float>(input.Address, x);
        if (matrix.Layout.TakesBytes) PtxMachine.Run(QuantiseActivations.Kernel, arena, new QuantiseArguments(arena.Tensor(input), new QuantisedPlaces(quants, scales), 1, 0), 1 + (cols / 64), Tokens, 64);
        foreach (int tokens in new[] { 1, Tokens })
        {
            arena.Write<float>(output.Address, new float[Tokens * Rows]);
            GemvArguments arguments = new(tokens, arena.Tensor(input), quants, scales, new GemvPart(matrix.Planes, 0, -1, arena.Tensor(output)), default, default, new GemvHeads(1, 0, 0));
            PtxMachine.Run(Kernel(matrix.Layout.Name, tokens), arena, arguments, 2, 1, 32 * Warps);
            float[] y = new float[Tokens * Rows];
            arena.Read<float>(output.Address, y);
            for (int i = 0; i < tokens * Rows; i++)
            {
                double sum = 0, squares = 0;
                for (int k = 0; k < cols; k++)
                {
                    double product = (double)x[(i / Rows * cols) + k] * decoded[(i % Rows * cols) + k];
                    (sum, squares) = (sum + product, squares + (product * product));
                }

                Assert.True(Math.Abs(sum - y[i]) < 0.03 * Math.Sqrt(squares), $"{y[i]} instead of {sum}, at {i} of {tokens} tokens");
            }
        }
    }

    private static Action<DeviceMemory, GemvArguments> Kernel(string layout, int tokens) => layout switch
    {
        "F16" => tokens == 1 ? TokenGemv<FloatRow<PlainF16>>.FloatKernel : Rows<FloatRow<PlainF16>>(tokens),
        "BF16" => tokens == 1 ? TokenGemv<FloatRow<PlainBF16>>.FloatKernel : Rows<FloatRow<PlainBF16>>(tokens),
        "Q4_0" => Rows<BlockRow<Q4_0Planes>>(tokens),
        "Q8_0" => Rows<BlockRow<BytePlanes>>(tokens),
        "Q4_K" => Rows<BlockRow<Q4_KPlanes>>(tokens),
        "Q5_K" => Rows<BlockRow<Q5_KPlanes>>(tokens),
        "Q6_K" => Rows<BlockRow<Q6_KPlanes>>(tokens),
        "IQ4_XS" => Rows<BlockRow<IQ4_XSPlanes>>(tokens),
        _ => Rows<BlockRow<MXFP4Planes>>(tokens),
    };

    private static Action<DeviceMemory, GemvArguments> Rows<T>(int tokens)
        where T : unmanaged, IGemvRow => tokens == 1 ? TokenGemv<T>.Kernel : TokensGemv<T, FourTokens>.Kernel;

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
}
