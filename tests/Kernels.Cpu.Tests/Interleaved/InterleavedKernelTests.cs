using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Tests.Formats;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Interleaved;

/// <summary>Rungs 2 and 3 of the ladder for kernels over interleaved rows: double precision, the scalar meaning, the assembled code of every format and shape.</summary>
public unsafe class InterleavedKernelTests
{
    private const int Pad = 4; // values between the outputs of two tokens that must stay as they are

    public static TheoryData<string> Formats => InterleavedProbe.Formats;

    public static TheoryData<string> FloatFormats => FormatProbe.Names(format => format.Interleaved is { Element: not FloatElement.None });

    public static TheoryData<string> BlockFormats => FormatProbe.Names(format => format.Interleaved is { Element: FloatElement.None });

    [TierTheory(IsaTier.Avx2)]
    [MemberData(nameof(Formats))]
    public void ScalarAgreesWithDoublePrecision(string name)
    {
        Random random = new(6);
        for (int blocks = 1; blocks <= 3; blocks++)
            foreach (int tokens in new[] { 1, 2, 5 })
                Check(name, random, blocks, tokens, 1, null);
    }

    [TierTheory(IsaTier.Avx512Vnni)]
    [MemberData(nameof(Formats))]
    public void AssembledCodeAgreesWithScalar(string name) => CheckAll(name, static (layout, tokens, streams) => layout.Kernel(tokens, streams));

    [TierTheory(IsaTier.Avx2)]
    [MemberData(nameof(BlockFormats))]
    public void CodeAssembledForAvx2AgreesWithScalar(string name) => CheckAll(name, Products(ByteProducts.Pairs));

    [TierTheory(IsaTier.Avx2)]
    [MemberData(nameof(FloatFormats))]
    public void FloatCodeAssembledForAvx2AgreesWithScalar(string name) => CheckAll(name, InterleavedAvx2FloatKernel.Assemble);

    [TierTheory(IsaTier.AvxVnni)]
    [MemberData(nameof(BlockFormats))]
    public void CodeAssembledForAvxVnniAgreesWithScalar(string name) => CheckAll(name, Products(ByteProducts.AvxVnni));

    [TierTheory(IsaTier.Avx512Vnni)]
    [MemberData(nameof(BlockFormats))]
    public void TheSameCodedForAvx512AgreesWithScalar(string name) => CheckAll(name, Products(ByteProducts.Avx512Vnni));

    private static Func<InterleavedLayout, int, int, nint> Products(ByteProducts products) => (layout, tokens, streams) => InterleavedAvx2Kernel.Assemble(layout, tokens, streams, products);

    private static void CheckAll(string name, Func<InterleavedLayout, int, int, nint> kernel)
    {
        Random random = new(7);
        for (int tokens = 1; tokens <= InterleavedLayout.MaxTokens; tokens++)
            foreach (int streams in new HashSet<int> { 1, InterleavedLayout.StreamsFor(tokens) })
                for (int blocks = 1; blocks <= 3; blocks++) Check(name, random, blocks, tokens, streams, kernel);
    }

    private static void Check(string name, Random random, int blocks, int tokens, int streams, Func<InterleavedLayout, int, int, nint>? kernel)
    {
        bool assembled = kernel is not null;
        WeightFormat format = FormatProbe.Find(name);
        InterleavedLayout layout = format.Interleaved!;
        int cols = blocks * InterleavedProbe.BlockColumns(format), stride = (16 * streams) + Pad;
        using InterleavedProbe probe = new(format, random, 16, cols, streams);
        using GuardedMemory x = new((int)InterleavedProduct.ActivationBytes(layout, cols, tokens)), y = new(sizeof(float) * ((stride * tokens) - Pad));
        float[] values = Activations(random, tokens, cols);
        fixed (float* source = values)
            for (int t = 0; t < tokens; t++)
            {
                if (layout.Element != FloatElement.None) InterleavedActivations.Place(source + (t * cols), cols, tokens, (float*)x.Start + t);
                else InterleavedActivations.QuantizeScalar(source + (t * cols), cols, layout.Offset, layout.PerSixteen, tokens, x.Start + (t * InterleavedActivations.BlockBytes));
            }

        float[] scalar = new float[stride * tokens];
        float* outputs = (float*)y.Start;
        for (int i = 0; i < (stride * tokens) - Pad; i++) outputs[i] = scalar[i] = 1 + (i % 3);
        KernelArguments arguments = new()
        {
            Weights = probe.Groups.Start,
            StreamBytes = layout.GroupBytes(cols),
            Activations = x.Start,
            Blocks = cols / layout.BlockColumns,
            Y = outputs,
            YStreamBytes = 16 * sizeof(float),
            YTokenBytes = stride * sizeof(float),
        };
        if (kernel is not null) ((delegate* unmanaged<KernelArguments*, void>)kernel(layout, tokens, streams))(&arguments);
        fixed (float* reference = scalar)
        {
            arguments.Y = reference;
            InterleavedScalar.Multiply(layout, in arguments, tokens, streams);
        }

        for (int t = 0; t < tokens; t++)
            for (int i = 0; i < stride - (t == tokens - 1 ? Pad : 0); i++)
            {
                int at = (t * stride) + i;
                if (i >= 16 * streams)
                {
                    Assert.Equal(1 + (at % 3), outputs[at]);
                    continue;
                }

                (double exact, double size) = Exact(probe, x.Start, i, t, tokens);
                exact += 1 + (at % 3);
                double error = Math.Abs((assembled ? outputs[at] : scalar[at]) - exact);
                double allowed = assembled ? (2 * Math.Abs(scalar[at] - exact)) + (5e-7 * size) : 1e-6 * size;
                Assert.True(error <= allowed, $"{name}, {tokens} tokens, {streams} streams, {blocks} blocks, token {t}, row {i}: off by {error:g3}, scalar {scalar[at]:R}, exact {exact:R}, size {size:g3}");
            }
    }

    // Every second token takes values at the ends of the range only, so that integer sums are as large as they get.
    private static float[] Activations(Random random, int tokens, int cols)
    {
        float[] values = new float[tokens * cols];
        for (int i = 0; i < values.Length; i++)
            values[i] = i / cols % 2 == 0 ? (float)(random.NextDouble() - 0.5) * MathF.Pow(2, random.Next(-6, 6)) : random.Next(2) == 0 ? 1 : -1;
        return values;
    }

    // Size as in FormatDotTests: of every 32 columns max|w| × Σ|a|; with an offset or a codebook, sums are of raised codes, and what cancels is as large as those.
    private static (double Exact, double Size) Exact(InterleavedProbe probe, byte* x, int row, int token, int tokens)
    {
        double exact = 0, size = 1;
        double raise = probe.Layout.Offset >= 128 ? 4 : 1;
        for (int step = 0; step < probe.Cols / 32; step++)
        {
            bool floats = probe.Layout.Element != FloatElement.None;
            byte* block = x + (((step * tokens) + token) * InterleavedActivations.BlockBytes);
            double scale = floats ? 0 : *(float*)(block + InterleavedActivations.Scale), largest = 0, activations = 0;
            for (int k = 0; k < 32; k++)
            {
                double a = floats ? ((float*)x)[(((32 * step) + k) * tokens) + token] : scale * (sbyte)block[k], w = probe.Weights[(row * probe.Cols) + (32 * step) + k];
                exact += w * a;
                activations += Math.Abs(a);
                largest = Math.Max(largest, Math.Abs(w));
            }

            size += raise * largest * activations;
        }

        return (exact, size);
    }
}
