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
        float[] x = Values(random, Tokens * cols), decoded = new float[Rows * cols];
        long begin = arena.Offset(arena.Take(256, "begin"));
        DeviceMatrix matrix = Matrix(arena, format, random, Rows, cols, decoded);

        // What lies behind the last row is read, and not used.
        long end = arena.Offset(arena.Take(1 << 16, "behind")) + (1 << 16);
        Tensor input = new(arena.Take(Tokens * cols * sizeof(float), "x"), Tokens, cols, cols), output = new(arena.Take(Tokens * Rows * sizeof(float), "y"), Tokens, Rows, Rows);
        long quants = arena.Offset(arena.Take(2L * Tokens * cols, "bytes")), scales = quants + (Tokens * cols);
        arena.Write<float>(input.Address, x);
        if (matrix.Layout.TakesBytes) PtxMachine.Run(QuantiseActivations.Kernel, arena, new QuantiseArguments(arena.Tensor(input), new QuantisedPlaces(quants, scales), 1, 0), 1 + (cols / 64), Tokens, 64);
        foreach (int tokens in new[] { 1, Tokens })
        {
            arena.Write<float>(output.Address, new float[Tokens * Rows]);
            GemvArguments arguments = new(tokens, arena.Tensor(input), quants, scales, new GemvPart(matrix.Planes, 0, -1, arena.Tensor(output)), default, default, new GemvHeads(1, 0, 0));
            PtxMachine.Run(Kernel(matrix.Layout.Name, tokens), arena, arguments, 2, 1, 32 * Warps, begin, end);
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

    [Theory]
    [InlineData("Q4_0", 2144)]
    [InlineData("Q8_0", 4192)]
    [InlineData("Q4_K", 2304)]
    [InlineData("Q5_K", 256)]
    [InlineData("Q6_K", 2560)]
    [InlineData("IQ4_NL", 32)]
    [InlineData("IQ4_XS", 3328)]
    [InlineData("MXFP4", 1056)]
    public void ProductsThroughRingsAsACardComputesThem(string name, int cols)
    {
        // Several pairs of rows for a warp, the last one of each product half.
        const int First = 45, Second = 11;
        WeightFormat format = FormatTable.Find(name)!;
        using GpuDevice device = Devices.Open(GpuKind.Simulated);
        using DeviceArena arena = new(device, 4 << 20);
        Random random = new(cols);
        float[] x = Values(random, cols), bias = Values(random, Second), decoded = new float[(First + Second) * cols];
        Tensor input = new(arena.Take(cols * sizeof(float), "x"), 1, cols, cols), y = new(arena.Take((First + Second) * sizeof(float), "y"), 1, First + Second, First + Second);
        long quants = arena.Offset(arena.Take(2L * cols, "bytes")), scales = quants + cols, biases = arena.Offset(arena.Take(Second * sizeof(float), "bias"));
        nint begin = arena.Take(256, "begin");
        DeviceMatrix first = Matrix(arena, format, random, First, cols, decoded.AsSpan(0, First * cols)), second = Matrix(arena, format, random, Second, cols, decoded.AsSpan(First * cols));
        nint end = arena.Take(256, "end");
        arena.Write<float>(input.Address, x);
        arena.Write<float>((nint)arena.Base + (nint)biases, bias);
        if (first.Layout.TakesBytes) PtxMachine.Run(QuantiseActivations.Kernel, arena, new QuantiseArguments(arena.Tensor(input), new QuantisedPlaces(quants, scales), 1, 0), 1 + (cols / 64), 1, 64);
        GemvArguments arguments = new(
            1, arena.Tensor(input), quants, scales, new GemvPart(first.Planes, 0, -1, arena.Tensor(y.Columns(0, First))), new GemvPart(second.Planes, 0, biases, arena.Tensor(y.Columns(First, Second))), default,
            new GemvHeads(1, 0, 0));
        PtxMachine.Run(Ring(first.Layout.Name), arena, arguments, 1, 1, RingGemv.Warps * 32, arena.Offset(begin), arena.Offset(end));
        float[] results = new float[First + Second];
        arena.Read<float>(y.Address, results);
        for (int row = 0; row < results.Length; row++)
        {
            double sum = row < First ? 0 : bias[row - First], squares = 0;
            for (int k = 0; k < cols; k++)
            {
                double product = (double)x[k] * decoded[(row * cols) + k];
                (sum, squares) = (sum + product, squares + (product * product));
            }

            Assert.True(Math.Abs(sum - results[row]) < 0.03 * Math.Sqrt(squares), $"{results[row]} instead of {sum}, in row {row}");
        }
    }

    private static DeviceMatrix Matrix(DeviceArena arena, WeightFormat format, Random random, int rows, int cols, Span<float> decoded)
    {
        byte[] blocks = new byte[format.Info.RowBytes(cols) * rows];
        format.Quantize(Values(random, rows * cols), [], blocks);
        fixed (byte* stored = blocks)
        {
            format.Decode((nint)stored, decoded);
            return WeightUpload.Run(arena, DeviceFormatTable.Of(format, exact: false), "w", format, 1, rows, cols, (nint)stored);
        }
    }

    private static Action<DeviceMemory, GemvArguments> Ring(string layout) => layout switch
    {
        "Q4_0" => RingGemv<Q4_0Planes>.Kernel,
        "Q8_0" => RingGemv<BytePlanes>.Kernel,
        "Q4_K" => RingGemv<Q4_KPlanes>.Kernel,
        "Q5_K" => RingGemv<Q5_KPlanes>.Kernel,
        "Q6_K" => RingGemv<Q6_KPlanes>.Kernel,
        "IQ4_NL" => RingGemv<IQ4_NLPlanes>.Kernel,
        "IQ4_XS" => RingGemv<IQ4_XSPlanes>.Kernel,
        "MXFP4" => RingGemv<MXFP4Planes>.Kernel,
        _ => throw new ArgumentException(layout),
    };

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
