using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Tests.Formats;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Interleaved;

/// <summary>
/// Sums as large as they get: every weight the same code, every activation 127 or −127. Scales are 1, so that binary32 holds every result, and all kernels must give it exactly.
/// </summary>
public unsafe class InterleavedExtremesTests
{
    private static readonly Func<int, sbyte>[] Patterns =
    [
        _ => 127,
        _ => -127,
        k => (sbyte)(k % 2 == 0 ? 127 : -127),
        k => (sbyte)(k % 4 < 2 ? 127 : -127),
        k => (sbyte)(k % 32 < 16 ? -127 : 127),
        k => (sbyte)(k == 0 ? 127 : 0),
    ];

    public static TheoryData<string> Formats => InterleavedKernelTests.BlockFormats;

    [TierTheory(IsaTier.Avx2)]
    [MemberData(nameof(Formats))]
    public void NothingOverflows(string name)
    {
        InterleavedLayout layout = FormatProbe.Find(name).Interleaved!;
        // One token has a way of its own.
        CheckAll(layout, Patterns);
        foreach (Func<int, sbyte> pattern in Patterns) CheckAll(layout, [pattern]);
    }

    private static void CheckAll(InterleavedLayout layout, Func<int, sbyte>[] patterns)
    {
        int cols = 2 * layout.BlockColumns, tokens = patterns.Length;
        using GuardedMemory group = new((int)layout.GroupBytes(cols)), x = new((int)InterleavedProduct.ActivationBytes(layout, cols, tokens));
        for (int t = 0; t < tokens; t++) Place(layout, patterns, cols, t, x.Start);
        List<(string Name, nint Code)> kernels = [.. Products().Select(products => (products.ToString(), InterleavedAvx2Kernel.Assemble(layout, tokens, 1, products)))];
        if (Isa.HasAvx512Vnni) kernels.Add(("512 bits", layout.Kernel(tokens, 1)));
        foreach (byte code in new byte[] { 0xff, 0, 0x7f, 0x80 }.Concat(Enumerable.Range(1, 14).Select(nibble => (byte)(0x11 * nibble))))
        {
            Fill(layout, cols, code, group.Start);
            foreach ((string kernel, nint address) in kernels) Check($"{layout.Name}, {kernel}, bytes {code}", layout, patterns, address, cols, group.Start, x.Start);
        }
    }

    /// <summary>A kernel may add as many products as fit, and one more does not: else it would add too few and be slower than it could.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void AsManyAreAddedAsFit(string name)
    {
        InterleavedLayout layout = FormatProbe.Find(name).Interleaved!;
        int pair = 2 * 127 * layout.LargestValue, additions = InterleavedAvx2Kernel.Additions(layout);
        Assert.InRange(short.MaxValue, additions * pair, ((additions + 1) * pair) - 1);
        Assert.Equal(additions == 0 ? 2 : 1, InterleavedAvx2Kernel.Planes(layout));
    }

    /// <summary>Both widths add the same integers and round in the same order, so that a model's numbers don't tell which machine it ran on.</summary>
    [TierTheory(IsaTier.Avx512Vnni)]
    [MemberData(nameof(Formats))]
    public void BothWidthsGiveTheSameBits(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        InterleavedLayout layout = format.Interleaved!;
        Random random = new(9);
        int cols = 2 * InterleavedProbe.BlockColumns(format);
        using InterleavedProbe probe = new(format, random, 16, cols);
        foreach (int tokens in new[] { 1, 6, 16 })
        {
            byte[] x = new byte[InterleavedProduct.ActivationBytes(layout, cols, tokens)];
            float[] values = [.. Enumerable.Range(0, cols).Select(_ => (float)random.NextDouble() - 0.5f)], wide = new float[16 * tokens], narrow = new float[16 * tokens];
            fixed (float* source = values, wideTarget = wide, narrowTarget = narrow)
            fixed (byte* placed = x)
            {
                for (int t = 0; t < tokens; t++)
                    InterleavedActivations.QuantizeScalar(source, cols, layout.Offset, layout.PerSixteen, tokens, placed + (t * InterleavedActivations.BlockBytes));
                KernelArguments arguments = new() { Weights = probe.Groups.Start, Activations = placed, Blocks = cols / layout.BlockColumns, Y = wideTarget, YTokenBytes = 64 };
                ((delegate* unmanaged<KernelArguments*, void>)layout.Kernel(tokens, 1))(&arguments);
                arguments.Y = narrowTarget;
                foreach (ByteProducts products in Products())
                {
                    Array.Clear(narrow);
                    ((delegate* unmanaged<KernelArguments*, void>)InterleavedAvx2Kernel.Assemble(layout, tokens, 1, products))(&arguments);
                    Assert.Equal(wide.Select(BitConverter.SingleToUInt32Bits), narrow.Select(BitConverter.SingleToUInt32Bits));
                }
            }
        }
    }

    private static IEnumerable<ByteProducts> Products()
    {
        yield return ByteProducts.Pairs;
        if (Isa.HasAvxVnni) yield return ByteProducts.AvxVnni;
        if (Isa.HasAvx512Vnni) yield return ByteProducts.Avx512Vnni;
    }

    private static void Check(string what, InterleavedLayout layout, Func<int, sbyte>[] patterns, nint kernel, int cols, byte* group, byte* x)
    {
        int tokens = patterns.Length;
        float[] found = new float[16 * tokens], expected = new float[16 * tokens];
        fixed (float* y = found, reference = expected)
        {
            KernelArguments arguments = new() { Weights = group, Activations = x, Blocks = cols / layout.BlockColumns, Y = y, YTokenBytes = 16 * sizeof(float) };
            ((delegate* unmanaged<KernelArguments*, void>)kernel)(&arguments);
            arguments.Y = reference;
            InterleavedScalar.Multiply(layout, in arguments, tokens, 1);
        }

        for (int t = 0; t < tokens; t++)
            for (int row = 0; row < 16; row++)
            {
                double exact = 0;
                for (int k = 0; k < cols; k++) exact += (double)InterleavedScalar.Weight(layout, group, row, k) * patterns[t](k % 32);
                int at = (16 * t) + row;
                Assert.True(exact == found[at], $"{what}, pattern {t}, row {row}: {found[at]:R}, exactly {exact:R}");
                Assert.Equal(exact, expected[at]);
            }
    }

    private static void Place(InterleavedLayout layout, Func<int, sbyte>[] patterns, int cols, int token, byte* x)
    {
        float[] values = [.. Enumerable.Range(0, cols).Select(k => (float)patterns[token](k % 32))];
        fixed (float* source = values)
            InterleavedActivations.QuantizeScalar(source, cols, layout.Offset, layout.PerSixteen, patterns.Length, x + (token * InterleavedActivations.BlockBytes));
    }

    private static void Fill(InterleavedLayout layout, int cols, byte code, byte* group)
    {
        const ushort One = 0x3c00;
        for (int b = 0; b < cols / layout.BlockColumns; b++, group += layout.BlockBytes)
        {
            new Span<ushort>(group, layout.HeaderBytes / 2).Fill(One);
            byte* step = group + layout.HeaderBytes;
            for (int i = 0; i < layout.StepsPerBlock; i++, step += layout.StepBytes)
            {
                if (layout.Scale == ScaleKind.Half) new Span<ushort>(step, layout.CodesOffset / 2).Fill(One);
                else new Span<byte>(step, layout.CodesOffset).Fill((byte)(layout.Scale == ScaleKind.Exponent ? 127 : 1));
                new Span<byte>(step + layout.CodesOffset, layout.StepBytes - layout.CodesOffset).Fill(code);
            }
        }
    }
}
