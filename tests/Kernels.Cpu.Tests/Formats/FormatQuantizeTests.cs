using Quern.Kernels.Cpu.Formats;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Formats;

public unsafe class FormatQuantizeTests
{
    public static TheoryData<string> All => FormatProbe.Names(_ => true);

    [SharedTheory]
    [MemberData(nameof(All))]
    public void ErrorIsWithinOnePercentOfTheReference(string name)
    {
        if (FormatProbe.WithoutGoldenBlocks.Contains(name)) return;
        WeightFormat format = FormatProbe.Find(name);
        float[] source = SharedData.ReadFloats("golden", "quants", "source.f32");
        byte[] reference = File.ReadAllBytes(SharedData.Path("golden", "quants", name, "blocks.bin"));
        byte[] ours = Quantize(format, source, []);
        double expected = Error(source, Decode(format, reference, source.Length)), actual = Error(source, Decode(format, ours, source.Length));
        Assert.True(actual <= expected * 1.01, $"root mean square error {actual:R}, the reference's {expected:R}");
    }

    [SharedTheory]
    [InlineData("F16")]
    [InlineData("BF16")]
    [InlineData("Q4_0")]
    [InlineData("Q4_1")]
    [InlineData("Q5_0")]
    [InlineData("Q5_1")]
    [InlineData("Q8_0")]
    [InlineData("MXFP4")]
    public void SimpleFormulasGiveTheBitsOfTheReference(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        float[] source = SharedData.ReadFloats("golden", "quants", "source.f32");
        byte[] reference = File.ReadAllBytes(SharedData.Path("golden", "quants", name, "blocks.bin"));
        byte[] ours = Quantize(format, source, []);
        for (int b = 0; b < source.Length / format.Info.BlockLength; b++)
        {
            Range block = (b * format.Info.BlockBytes)..((b + 1) * format.Info.BlockBytes);
            Assert.True(reference.AsSpan(block).SequenceEqual(ours.AsSpan(block)),
                $"block {b}: {Convert.ToHexString(reference.AsSpan(block))}, ours {Convert.ToHexString(ours.AsSpan(block))}");
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void ErrorIsWhatTheBitsAllow(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        float[] source = Normal(new Random(1), 4096);
        double error = Error(source, Decode(format, Quantize(format, source, []), source.Length));
        // Normal values have a root mean square of 1; 2^-bits is the best that any code of that rate can do.
        double bits = 8.0 * format.Info.BlockBytes / format.Info.BlockLength;
        double bound = format.Info.BlockLength == 1 ? 1.0 / 256 : Math.Min(0.95, 4 * Math.Pow(2, -bits));
        Assert.True(error <= bound, $"root mean square error {error:R}, bound {bound:R}");
    }

    [Theory]
    [MemberData(nameof(All))]
    public void ImportanceNeverRaisesTheErrorItWeighs(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        Random random = new(2);
        float[] source = Normal(random, 4096), importance = new float[source.Length];
        for (int i = 0; i < source.Length; i++)
        {
            importance[i] = (float)Math.Exp(2 * random.NextDouble() * Q8Row.Normal(random));
            if (random.Next(50) == 0) source[i] *= 8;
        }

        double plain = Error(source, Decode(format, Quantize(format, source, []), source.Length), importance);
        double weighted = Error(source, Decode(format, Quantize(format, source, importance), source.Length), importance);
        Assert.True(weighted <= plain * (1 + 1e-6), $"weighted error {weighted:R} with importance, {plain:R} without");
    }

    [Theory]
    [MemberData(nameof(All))]
    public void HardRowsStayFiniteAndZeroStaysZero(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        float[] zero = new float[1024];
        Assert.All(Decode(format, Quantize(format, zero, []), zero.Length), v => Assert.Equal(0f, v));
        float[] weights = Enumerable.Repeat(0f, 1024).ToArray();
        foreach (float scale in new[] { 1e-42f, 1e-30f, 1e-8f, 1f, 1e3f })
        {
            float[] source = Normal(new Random(4), 1024);
            for (int i = 0; i < source.Length; i++)
            {
                // A constant stretch, a one-sided one, and one of outliers among tiny values.
                float value = i < 256 ? 1.5f : i < 512 ? Math.Abs(source[i]) : i % 64 == 0 ? source[i] : i % 3 * 1e-3f;
                source[i] = value * scale;
            }

            Assert.All(Decode(format, Quantize(format, source, []), source.Length), v => Assert.True(float.IsFinite(v)));
            Assert.All(Decode(format, Quantize(format, source, weights), source.Length), v => Assert.True(float.IsFinite(v)));
        }
    }

    [Fact]
    public void LengthsThatDoNotFitAreRefused()
    {
        WeightFormat format = FormatProbe.Find("Q4_0");
        Assert.Throws<ArgumentException>(() => format.Quantize(new float[31], [], new byte[18]));
        Assert.Throws<ArgumentException>(() => format.Quantize(new float[32], [], new byte[17]));
        Assert.Throws<ArgumentException>(() => format.Quantize(new float[32], new float[31], new byte[18]));
    }

    private static float[] Normal(Random random, int count)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = Q8Row.Normal(random);
        return values;
    }

    private static byte[] Quantize(WeightFormat format, float[] source, float[] importance)
    {
        byte[] blocks = new byte[format.Info.RowBytes(source.Length)];
        format.Quantize(source, importance, blocks);
        return blocks;
    }

    private static float[] Decode(WeightFormat format, byte[] blocks, int count)
    {
        float[] values = new float[count];
        fixed (byte* source = blocks) format.Decode((nint)source, values);
        return values;
    }

    private static double Error(float[] expected, float[] actual, float[]? importance = null)
    {
        double sum = 0, weight = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = (double)expected[i] - actual[i], w = importance?[i] ?? 1;
            sum += w * difference * difference;
            weight += w;
        }

        return Math.Sqrt(sum / weight);
    }
}
