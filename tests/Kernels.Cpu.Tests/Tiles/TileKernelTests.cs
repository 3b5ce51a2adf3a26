using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Tests.Formats;
using Quern.Kernels.Cpu.Tests.Interleaved;
using Quern.Kernels.Cpu.Tiles;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Tiles;

/// <summary>Rungs 2 and 3 of the ladder for the tile unit: double precision, the scalar meaning, the assembled code of every format and shape.</summary>
public unsafe class TileKernelTests
{
    private static readonly float[] Hostile = [0, -0f, 1e-45f, -1e-40f, 3.4e38f, -3e38f, float.PositiveInfinity, float.NaN, 0.5f, -127, 126.5f, 1.00390625f, 1.01171875f];

    public static TheoryData<string> Formats => InterleavedProbe.Formats;

    [TierTheory(IsaTier.Avx2)]
    [MemberData(nameof(Formats))]
    public void ScalarTilesHoldTheWeights(string name) => Decode(name, assembled: false);

    [TierTheory(IsaTier.Amx)]
    [MemberData(nameof(Formats))]
    public void AssembledTilesHoldTheWeights(string name) => Decode(name, assembled: true);

    [TierTheory(IsaTier.Amx)]
    [InlineData("Q8_0")]
    [InlineData("Q6_K")]
    public void CuttingDoesNotShrinkWeightsOnTheMean(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        using InterleavedProbe probe = new(format, new Random(3), 16, 16 * InterleavedProbe.BlockColumns(format));
        using GuardedMemory tiles = Tiles(probe, assembled: true);
        double dot = 0, square = 0;
        for (int row = 0; row < 16; row++)
            for (int k = 0; k < probe.Cols; k++)
            {
                double weight = probe.Weights[(row * probe.Cols) + k];
                dot += weight * TileScalar.Weight(tiles.Start, row, k);
                square += weight * weight;
            }

        Assert.InRange(dot / square, 1 - 2e-4, 1 + 2e-4);
    }

    [TierTheory(IsaTier.Amx)]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    public void ProductsAgreeWithScalar(int tokenTiles, int rowTiles)
    {
        Random random = new(4);
        for (int steps = 1; steps <= 5; steps++)
            for (int turns = 1; turns <= 3; turns++)
                foreach (bool adds in new[] { false, true }) Product(random, tokenTiles, rowTiles, steps, turns, adds);
    }

    [TierTheory(IsaTier.Avx512)]
    [InlineData(32)]
    [InlineData(96)]
    public void ActivationsAreTheSameBytesAtEveryWidth(int cols)
    {
        Random random = new(5);
        for (int round = 0; round < 40; round++)
        {
            using GuardedMemory x = new(cols * sizeof(float)), wide = new(cols / 32 * TileLayout.TileBytes), scalar = new(wide.Length);
            float* values = (float*)x.Start;
            for (int i = 0; i < cols; i++)
                values[i] = random.Next(4) == 0 ? Hostile[random.Next(Hostile.Length)] : (float)(random.NextDouble() - 0.5) * MathF.Pow(2, random.Next(-20, 20));
            wide.Span.Fill(0x77);
            scalar.Span.Fill(0x77);
            int token = random.Next(16);
            TileActivations.Place(values, cols, wide.Start + (64 * token));
            TileActivations.PlaceScalar(values, cols, scalar.Start + (64 * token));
            Assert.Equal(scalar.Span.ToArray(), wide.Span.ToArray());
            for (int k = 0; k < cols; k++)
                if (float.IsNormal(values[k]) && Math.Abs(values[k]) < 3.38e38f)
                    Assert.InRange(TileScalar.Activation(scalar.Start, token, k) / (double)values[k], 1 - (1 / 256.0), 1 + (1 / 256.0));
        }
    }

    [TierTheory(IsaTier.Amx)]
    [InlineData(16)]
    [InlineData(19)]
    public void TwoPartsHoldSixteenDigits(int columnNumbers)
    {
        Random random = new(9);
        foreach (FloatElement element in new[] { FloatElement.Half, FloatElement.Single })
        {
            int bytes = element == FloatElement.Half ? 2 : 4;
            using GuardedMemory numbers = new(bytes * ((31 * columnNumbers) + 16)), rounded = new(TileLayout.TileBytes), rest = new(TileLayout.TileBytes);
            float[] values = [.. Enumerable.Range(0, numbers.Length / bytes).Select(_ => Float16.ToSingle(Float16.FromSingle((float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-8, 8))))))];
            for (int i = 0; i < values.Length; i++)
            {
                if (element == FloatElement.Half) ((ushort*)numbers.Start)[i] = Float16.FromSingle(values[i]);
                else ((float*)numbers.Start)[i] = values[i];
            }

            TileDecodeArguments arguments = new() { Weights = numbers.Start, Blocks = 1, Tiles = rounded.Start, ColumnBytes = bytes * columnNumbers };
            ((delegate* unmanaged<TileDecodeArguments*, void>)TileFloatKernel.Find(element))(&arguments);
            arguments.Tiles = rest.Start;
            ((delegate* unmanaged<TileDecodeArguments*, void>)TileFloatKernel.Find(element, rest: true))(&arguments);

            // Eleven digits of binary16 in eight and eight.
            for (int row = 0; row < 16; row++)
                for (int k = 0; k < 32; k++) Assert.Equal(values[(k * columnNumbers) + row], TileScalar.Weight(rounded.Start, row, k) + TileScalar.Weight(rest.Start, row, k));
        }
    }

    private static void Decode(string name, bool assembled)
    {
        WeightFormat format = FormatProbe.Find(name);
        Random random = new(1);
        for (int blocks = 1; blocks <= 3; blocks++)
        {
            using InterleavedProbe probe = new(format, random, 16, blocks * InterleavedProbe.BlockColumns(format));
            using GuardedMemory tiles = Tiles(probe, assembled);
            for (int row = 0; row < 16; row++)
                for (int step = 0; step < probe.Cols; step += 32)
                {
                    ReadOnlySpan<float> weights = probe.Weights.AsSpan((row * probe.Cols) + step, 32);
                    for (int k = 0; k < 32; k++)
                    {
                        // A code is taken off a power of two, 2^7 or 2^15, in units of the scale.
                        double unit = probe.Layout.Element != FloatElement.None ? 0 : Math.Abs(InterleavedScalar.Scale(probe.Layout, probe.Groups.Start, row, step + k));
                        double got = TileScalar.Weight(tiles.Start, row, step + k), allowed = (Math.Abs(weights[k]) / 128) + (unit / 400);
                        Assert.True(Math.Abs(got - weights[k]) <= allowed, $"{name}, row {row}, column {step + k}: {got:R}, expected {weights[k]:R} within {allowed:g3}");
                    }
                }
        }
    }

    private static GuardedMemory Tiles(InterleavedProbe probe, bool assembled)
    {
        GuardedMemory tiles = new((int)TileLayout.Bytes(probe.Cols));
        tiles.Span.Fill(0xEE);
        InterleavedLayout layout = probe.Layout;
        TileDecodeArguments arguments = new()
        {
            Weights = probe.Groups.Start,
            Blocks = probe.Cols / layout.BlockColumns,
            Tiles = tiles.Start,
            ColumnBytes = layout.BlockBytes / layout.BlockColumns,
            BlockBytes = layout.BlockBytes,
        };
        if (assembled) ((delegate* unmanaged<TileDecodeArguments*, void>)layout.TileDecoder())(&arguments);
        else TileScalar.Decode(layout, in arguments);
        return tiles;
    }

    private static void Product(Random random, int tokenTiles, int rowTiles, int steps, int turns, bool adds)
    {
        const int Pad = 16;
        int tokens = 16 * tokenTiles * turns, rows = 16 * rowTiles, stride = rows + Pad;
        using GuardedMemory x = Numbers(random, tokenTiles * turns * steps), w = Numbers(random, rowTiles * steps);
        using GuardedMemory before = new(sizeof(float) * rows * tokens), y = new(sizeof(float) * ((stride * tokens) - Pad));
        float* outputs = (float*)y.Start;
        float[] scalar = new float[stride * tokens];
        for (int i = 0; i < (stride * tokens) - Pad; i++) outputs[i] = 77;
        for (int i = 0; i < rows * tokens; i++) ((float*)before.Start)[i] = 1 + (i % 3);
        TileProductArguments arguments = new()
        {
            Activations = x.Start,
            ActivationBytes = steps * TileLayout.TileBytes,
            Weights = w.Start,
            WeightBytes = steps * TileLayout.TileBytes,
            Steps = steps,
            Turns = turns,
            TurnActivationBytes = tokenTiles * steps * TileLayout.TileBytes,
            Before = adds ? (float*)before.Start : null,
            BeforeTokenBytes = rows * sizeof(float),
            TurnBeforeBytes = adds ? 16 * tokenTiles * rows * sizeof(float) : 0,
            YTokenBytes = stride * sizeof(float),
            TurnYBytes = 16 * tokenTiles * stride * sizeof(float),
        };
        fixed (float* reference = scalar)
        {
            arguments.Y = reference;
            TileScalar.Multiply(in arguments, tokenTiles, rowTiles);
        }

        arguments.Y = outputs;
        ((delegate* unmanaged<TileProductArguments*, void>)TileProductKernel.Find(tokenTiles, rowTiles))(&arguments);
        for (int t = 0; t < tokens; t++)
            for (int r = 0; r < (t == tokens - 1 ? rows : stride); r++)
            {
                int at = (t * stride) + r;
                if (r >= rows)
                {
                    Assert.Equal(77, outputs[at]);
                    continue;
                }

                double exact = adds ? 1 + (((t * rows) + r) % 3) : 0, size = exact;
                for (int k = 0; k < 32 * steps; k++)
                {
                    double product = (double)TileScalar.Activation(x.Start + (t / 16 * steps * TileLayout.TileBytes), t % 16, k)
                        * TileScalar.Weight(w.Start + (r / 16 * steps * TileLayout.TileBytes), r % 16, k);
                    exact += product;
                    size += Math.Abs(product);
                }

                Assert.True(Math.Abs(scalar[at] - exact) <= 1e-6 * size, $"scalar, token {t}, row {r}: {scalar[at]:R}, exact {exact:R}");
                Assert.True(Math.Abs(outputs[at] - exact) <= 1e-6 * size, $"{tokenTiles} x {rowTiles}, {steps} steps, {turns} turns, token {t}, row {r}: {outputs[at]:R}, exact {exact:R}");
            }
    }

    private static GuardedMemory Numbers(Random random, int tiles)
    {
        GuardedMemory memory = new(tiles * TileLayout.TileBytes);
        ushort* numbers = (ushort*)memory.Start;
        for (int i = 0; i < memory.Length / 2; i++) numbers[i] = (ushort)(BitConverter.SingleToUInt32Bits((float)(random.NextDouble() - 0.5) * MathF.Pow(2, random.Next(-6, 6))) >> 16);
        return memory;
    }
}
