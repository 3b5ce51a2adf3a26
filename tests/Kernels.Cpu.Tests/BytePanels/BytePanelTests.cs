using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.BytePanels;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Tests.Formats;
using Quern.Kernels.Cpu.Tests.Interleaved;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.BytePanels;

/// <summary>Rungs 1 to 4 of the ladder for products of bytes: columns, codes, kernels and whole products, each against the obvious way and double precision, between guard pages.</summary>
public sealed unsafe class BytePanelTests : IDisposable
{
    private static readonly float[] Hostile = [0, -0f, 1e-45f, -1e-40f, 1e-31f, 3.4e38f, -3e38f, 0.5f, -127, 126.5f, 1.5f, -2.5f];
    private static readonly float[] NotFinite = [float.PositiveInfinity, float.NegativeInfinity, float.NaN];

    private readonly ThreadTeam _team = new(2);

    public static TheoryData<string> Formats => InterleavedProbe.Formats;

    public void Dispose() => _team.Dispose();

    [TierTheory(IsaTier.Avx512Vnni)]
    [MemberData(nameof(Formats))]
    public void ColumnsAreTheWeights(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        Random random = new(1);
        for (int blocks = 1; blocks <= 3 && format.Interleaved!.Element == FloatElement.None; blocks++)
        {
            using InterleavedProbe probe = new(format, random, 16, blocks * InterleavedProbe.BlockColumns(format));
            using GuardedMemory columns = new(probe.Cols * 16 * sizeof(float));
            TileDecodeArguments arguments = new() { Weights = probe.Groups.Start, Blocks = probe.Cols / probe.Layout.BlockColumns, Tiles = columns.Start };
            ((delegate* unmanaged<TileDecodeArguments*, void>)probe.Layout.ColumnDecoder())(&arguments);
            for (int row = 0; row < 16; row++)
                for (int k = 0; k < probe.Cols; k++)
                {
                    // A code is taken off a power of two, 2^7 or 2^15, in units of the scale.
                    float expected = probe.Weights[(row * probe.Cols) + k], got = ((float*)columns.Start)[(16 * k) + row];
                    double unit = Math.Abs(InterleavedScalar.Scale(probe.Layout, probe.Groups.Start, row, k)), allowed = (Math.Abs(expected) * 1e-6) + (unit / 400);
                    Assert.True(Math.Abs(got - expected) <= allowed, $"{name}, row {row}, column {k}: {got:R}, expected {expected:R} within {allowed:g3}");
                }
        }
    }

    [TierTheory(IsaTier.Avx512)]
    [InlineData(0)]
    [InlineData(BytePanelLayout.Offset)]
    public void CodesOfWeightsAreTheSameAtEveryWidth(int offset)
    {
        Random random = new(2);
        foreach (int count in new[] { 4, 32, 256 })
            for (int round = 0; round < 40; round++)
            {
                using GuardedMemory columns = new(count * 16 * sizeof(float)), codes = new(count * 16), scales = new(16 * sizeof(float));
                float* values = (float*)columns.Start;
                for (int i = 0; i < count * 16; i++) values[i] = Value(random, round % 3 == 0);
                if (round == 1) new Span<float>(values, 16 * count).Clear();
                byte[] expected = new byte[count * 16];
                float[] expectedScales = new float[16];
                fixed (byte* target = expected)
                fixed (float* targetScales = expectedScales) PanelWeights.QuantizeScalar(values, count, offset, target, targetScales);
                PanelWeights.Quantize(values, count, offset, codes.Start, (float*)scales.Start);
                Assert.Equal(expected, codes.Span.ToArray());
                Assert.Equal(expectedScales, new Span<float>((float*)scales.Start, 16).ToArray());
                for (int i = 0; i < count * 16; i++)
                {
                    float scale = expectedScales[i % 16], weight = values[i];
                    if (!float.IsFinite(scale)) continue;
                    int code = (sbyte)(expected[(i / 64 * 64) + (4 * (i % 16)) + (i / 16 % 4)] - offset);
                    Assert.True(Math.Abs(((double)scale * code) - weight) <= (0.5001 * scale) + 1e-30, $"{weight:R} became {code} × {scale:R}");
                }
            }
    }

    [TierTheory(IsaTier.Avx512)]
    [InlineData(32)]
    [InlineData(256)]
    [InlineData(288)]
    [InlineData(544)]
    public void ActivationsAreThoseOfTheQuantiser(int cols)
    {
        Random random = new(3);
        const int Tokens = 4;
        using GuardedMemory memory = new((int)ByteActivations.Bytes(cols, Tokens)), x = new(cols * sizeof(float));
        memory.Span.Fill(0x77);
        ByteActivations placed = new(memory.Start, cols, Tokens);
        float* values = (float*)x.Start;
        for (int token = 0; token < Tokens; token++)
        {
            for (int i = 0; i < cols; i++) values[i] = Value(random, token == 2);
            placed.Place(token == 3 ? null : values, token);
            for (int block = 0; block < BytePanelLayout.Blocks(cols); block++)
            {
                // A block that is not full is one filled up with zeros.
                float[] padded = new float[256];
                if (token != 3) new Span<float>(values, cols)[(256 * block)..Math.Min(cols, 256 * (block + 1))].CopyTo(padded);
                sbyte[] codes = new sbyte[256];
                short[] sums = new short[16];
                float scale;
                fixed (float* from = padded)
                fixed (sbyte* to = codes)
                fixed (short* toSums = sums) Q8Quantizer.Scalar(from, 256, ActivationKind.Q8Of256, new Q8Vector((nint)to, (nint)(&scale), (nint)toSums));
                Assert.Equal(codes, new Span<sbyte>(placed.Codes(block) + (256 * token), 256).ToArray());
                Assert.Equal(scale, placed.Scales(block)[token]);
                Assert.Equal(-128 * sums.Sum(sum => sum), placed.Corrections(block)[token]);
            }
        }
    }

    [TierTheory(IsaTier.Avx512Vnni)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void KernelsGiveTheBitsOfTheirMeaning(int steps)
    {
        Random random = new(4);
        for (int turns = 1; turns <= 3; turns++)
        {
            int tokens = turns * BytePanelProduct.TurnTokens;
            using GuardedMemory panel = new(BytePanelLayout.PanelBytes), rowScales = new(64 * sizeof(float)), codes = new(tokens * 256), sums = new(4096), scales = new(tokens * sizeof(float));
            using GuardedMemory corrections = new(tokens * sizeof(int)), y = new(tokens * 64 * sizeof(float));
            random.NextBytes(panel.Span);
            random.NextBytes(codes.Span);
            if (turns == 2)
            {
                // The largest sums that there are.
                panel.Span.Fill(0xff);
                codes.Span.Fill(0x81);
                if (BytePanelProduct.Offset == 0) panel.Span.Fill(0x81);
            }

            for (int i = 0; i < 64; i++) ((float*)rowScales.Start)[i] = random.NextSingle();
            for (int t = 0; t < tokens; t++)
            {
                int sum = 0;
                for (int k = 0; k < steps * 64; k++) sum += (sbyte)codes.Start[(256 * t) + k];
                ((int*)corrections.Start)[t] = -BytePanelProduct.Offset * sum;
                ((float*)scales.Start)[t] = random.NextSingle();
            }

            for (int i = 0; i < tokens * 64; i++) ((float*)y.Start)[i] = i % 5;
            float[] expected = new Span<float>((float*)y.Start, tokens * 64).ToArray();
            BytePanelArguments arguments = new()
            {
                Weights = panel.Start,
                WeightScales = (float*)rowScales.Start,
                Activations = (sbyte*)codes.Start,
                Scales = (float*)scales.Start,
                Corrections = (int*)corrections.Start,
                Steps = steps,
                Turns = turns,
                TileSums = (int*)sums.Start,
            };
            fixed (float* reference = expected)
            {
                arguments.Y = reference;
                BytePanelScalar.Multiply(in arguments, tokens, BytePanelProduct.Offset);
            }

            arguments.Y = (float*)y.Start;
            ((delegate* unmanaged<BytePanelArguments*, void>)BytePanelProduct.Kernel)(&arguments);
            Assert.Equal(expected, new Span<float>((float*)y.Start, tokens * 64).ToArray());
        }
    }

    [TierTheory(IsaTier.Avx512Vnni)]
    [InlineData("Q4_0", 32, 70, 96)]
    [InlineData("Q8_0", 37, 16, 288)]
    [InlineData("Q4_K", 33, 130, 512)]
    [InlineData("Q6_K", 64, 64, 256)]
    [InlineData("IQ4_XS", 40, 17, 256)]
    [InlineData("F16", 35, 67, 352)]
    [InlineData("BF16", 35, 67, 352)]
    [InlineData("F32", 35, 67, 352)]
    public void ProductsOfPromptsAreThoseOfRoundedOperands(string name, int tokens, int rows, int cols)
    {
        Random random = new(5);
        WeightFormat format = FormatProbe.Find(name);
        float[] values = [.. Enumerable.Range(0, rows * cols).Select(_ => random.NextSingle() - 0.5f)];
        byte[] blocks = new byte[format.Info.RowBytes(cols) * rows];
        format.Quantize(values, [], blocks);
        using CpuBackend backend = new(_team, bytePrompts: true);
        fixed (byte* address = blocks)
        fixed (float* weights = values)
        {
            format.Decode(address, rows * cols / format.Info.BlockLength, weights);
            WeightMatrix matrix = backend.BindMatrix("w", format, 1, rows, cols, (nint)address);
            float[] bias = [.. Enumerable.Range(0, rows).Select(_ => random.NextSingle())];
            fixed (float* biasAt = bias)
            {
                WeightVector vector = backend.BindVector("b", FormatTable.Find("F32")!, rows, (nint)biasAt);
                backend.BeginPass();
                Tensor x = backend.Take(tokens, cols), y = backend.Take(tokens, rows);
                for (int t = 0; t < tokens; t++)
                    for (int k = 0; k < cols; k++) x.Row(t)[k] = random.NextSingle() - 0.5f;
                Assert.Null(backend.PromptError);
                backend.MatMul(x, matrix, vector, y);

                // What both sides lose is within half a unit of 127ths of the largest, of every block.
                double errors = 0, squares = 0;
                for (int t = 0; t < tokens; t++)
                    for (int r = 0; r < rows; r++)
                    {
                        double exact = bias[r], allowed = 1e-4;
                        for (int k = 0; k < cols; k++)
                        {
                            exact += (double)x.Row(t)[k] * values[(r * cols) + k];
                            allowed += (Math.Abs(x.Row(t)[k]) + Math.Abs(values[(r * cols) + k]) + 0.01) * 0.51 * 0.5 / 127;
                        }

                        Assert.True(Math.Abs(y.Row(t)[r] - exact) <= allowed, $"{name}, token {t}, row {r}: {y.Row(t)[r]:R}, exact {exact:R} within {allowed:g3}");
                        errors += Math.Pow(y.Row(t)[r] - exact, 2);
                        squares += Math.Pow(exact - bias[r], 2);
                    }

                // It is measured, and is about what it is: both are samples.
                double measured = Assert.NotNull(backend.PromptError), all = Math.Sqrt(errors / squares);
                Assert.InRange(measured, all / 2, all * 2);
                Assert.InRange(measured, 1e-3, 2e-2);
            }
        }
    }

    [TierTheory(IsaTier.Avx512Vnni)]
    [InlineData(31, false)]
    [InlineData(32, true)]
    public void OnlyPromptsAreRounded(int tokens, bool rounded)
    {
        // One large weight for 256 columns leaves nothing of small ones; with a scale for 32 columns they stay.
        const int Rows = 16, Cols = 256;
        WeightFormat format = FormatTable.Find("Q8_0")!;
        float[] values = new float[Rows * Cols];
        for (int i = 0; i < values.Length; i++) values[i] = i % Cols == 0 ? 1 : 1f / 512;
        byte[] blocks = new byte[format.Info.RowBytes(Cols) * Rows];
        format.Quantize(values, [], blocks);
        fixed (byte* address = blocks)
        {
            using CpuBackend backend = new(_team, bytePrompts: true);
            WeightMatrix matrix = backend.BindMatrix("w", format, 1, Rows, Cols, (nint)address);
            backend.BeginPass();
            Tensor x = backend.Take(tokens, Cols), y = backend.Take(tokens, Rows);
            x.AsSpan().Fill(1);
            backend.MatMul(x, matrix, null, y);
            foreach (float value in y.AsSpan()) Assert.Equal(rounded ? 1 : 1 + (224f / 512), value, 0.01f);
        }
    }

    [TierTheory(IsaTier.Avx512Vnni)]
    [InlineData(ComputeMode.Exact, true)]
    [InlineData(ComputeMode.Fast, false)]
    public void WhatDoesNotGoWithItIsRefused(ComputeMode mode, bool repack) =>
        Assert.Contains("prompts in int8", Assert.Throws<NotSupportedException>(() => new CpuBackend(_team, mode, repack, bytePrompts: true)).Message, StringComparison.Ordinal);

    [Fact]
    public void AMachineWithoutItSaysSo()
    {
        if (Isa.HasAvx512Vnni) new CpuBackend(_team, bytePrompts: true).Dispose();
        else Assert.Contains("VNNI", Assert.Throws<NotSupportedException>(() => new CpuBackend(_team, bytePrompts: true)).Message, StringComparison.Ordinal);
    }

    private static float Value(Random random, bool broken)
    {
        if (broken && random.Next(50) == 0) return NotFinite[random.Next(NotFinite.Length)];
        return random.Next(4) == 0 ? Hostile[random.Next(Hostile.Length)] : (random.NextSingle() - 0.5f) * MathF.Pow(2, random.Next(-20, 20));
    }
}
