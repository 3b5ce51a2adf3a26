using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Formats.Grids;

namespace Quern.Kernels.Cpu.Tests.Formats.Grids;

/// <summary>Laws of the quantisers of grid and ternary formats.</summary>
public unsafe class GridQuantizeTests
{
    private static readonly string[] GridNames = ["IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"];

    public static TheoryData<string> Grids => [.. GridNames];

    public static TheoryData<string> Symmetric => ["IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "TQ1_0", "TQ2_0"];

    public static TheoryData<string> Everything => FormatProbe.Names(f => f.Info.Name.StartsWith("TQ", StringComparison.Ordinal) || GridNames.Contains(f.Info.Name));

    [Theory]
    [MemberData(nameof(Grids))]
    public void DecodedValuesAreEncodedWithNextToNoError(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        float[] first = Decode(format, Quantize(format, Normal(1, 4096)));
        Assert.True(Error(first, Decode(format, Quantize(format, first))) <= 0.02 * Error(first, new float[first.Length]));
    }

    [Theory]
    [InlineData("TQ1_0")]
    [InlineData("TQ2_0")]
    public void TernaryValuesAreKept(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        Random random = new(2);
        float[] values = new float[1024];
        for (int i = 0; i < values.Length; i++) values[i] = (random.Next(3) - 1) * 0.0625f * (1 + (i / 256));
        Assert.Equal(values, Decode(format, Quantize(format, values)));
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void APowerOfTwoInTheValuesIsOneInTheResult(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        float[] values = Normal(3, 1024), scaled = [.. values.Select(v => v * 16)];
        Assert.Equal(Decode(format, Quantize(format, values)).Select(v => v * 16), Decode(format, Quantize(format, scaled)));
    }

    [Theory]
    [MemberData(nameof(Symmetric))]
    public void NegatedValuesGiveTheNegatedResult(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        float[] values = Normal(4, 1024), negated = [.. values.Select(v => -v)];
        Assert.Equal(Decode(format, Quantize(format, values)).Select(v => -v), Decode(format, Quantize(format, negated)));
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void BlocksAreIndependent(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        float[] values = Normal(5, 768), importance = [.. Normal(6, 768).Select(Math.Abs)];
        byte[] together = Quantize(format, values, importance);
        for (int b = 0; b < 3; b++)
        {
            Range block = (256 * b)..(256 * (b + 1)), bytes = (format.Info.BlockBytes * b)..(format.Info.BlockBytes * (b + 1));
            Assert.Equal(together[bytes], Quantize(format, values[block], importance[block]));
        }
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void ImportanceIsHeard(string name)
    {
        // The first eight values of each group of 16 are smaller and count a hundred times as much.
        WeightFormat format = FormatProbe.Find(name);
        float[] values = Normal(7, 4096), importance = new float[4096];
        for (int i = 0; i < importance.Length; i++)
        {
            importance[i] = i % 16 < 8 ? 1 : 0.01f;
            if (i % 16 < 8) values[i] *= 0.4f;
        }

        float[] plain = Decode(format, Quantize(format, values)), weighted = Decode(format, Quantize(format, values, importance));
        double before = Error(values, plain, importance), after = Error(values, weighted, importance);
        Assert.True(after <= 0.97 * before, $"weighted error {before} without importance, {after} with");
    }

    [Fact]
    public void TheTernaryErrorIsTheLeastThatAnyScaleHas()
    {
        TernarySearch search = new();
        Random random = new(9);
        sbyte[] digits = new sbyte[256];
        for (int trial = 0; trial < 20; trial++)
        {
            float[] values = Normal(random.Next(), 256), weights = [.. Normal(random.Next(), 256).Select(v => MathF.Exp(v))];
            float d = Float16.ToSingle(search.Encode(values, weights, digits));
            double actual = 0, best = double.MaxValue;
            for (int i = 0; i < 256; i++) actual += weights[i] * Math.Pow(values[i] - (d * digits[i]), 2);
            for (double scale = 0.05; scale < 4; scale += 0.001)
            {
                double error = 0;
                for (int i = 0; i < 256; i++)
                    error += weights[i] * Math.Min(values[i] * (double)values[i], Math.Pow(Math.Abs(values[i]) - scale, 2));
                best = Math.Min(best, error);
            }

            Assert.True(actual <= best * (1 + 1e-4), $"error {actual}, best {best}");
        }
    }

    private static float[] Normal(int seed, int count)
    {
        Random random = new(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = Q8Row.Normal(random);
        return values;
    }

    private static byte[] Quantize(WeightFormat format, float[] values, float[]? importance = null)
    {
        byte[] blocks = new byte[format.Info.RowBytes(values.Length)];
        format.Quantize(values, importance ?? [], blocks);
        return blocks;
    }

    private static float[] Decode(WeightFormat format, byte[] blocks)
    {
        float[] values = new float[blocks.Length / format.Info.BlockBytes * format.Info.BlockLength];
        fixed (byte* source = blocks) format.Decode((nint)source, values);
        return values;
    }

    private static double Error(float[] expected, float[] actual, float[]? importance = null)
    {
        double sum = 0;
        for (int i = 0; i < expected.Length; i++) sum += (importance?[i] ?? 1) * Math.Pow((double)expected[i] - actual[i], 2);
        return Math.Sqrt(sum);
    }
}
