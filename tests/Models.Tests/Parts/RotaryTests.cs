using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.Models.Parts;
using Quern.TestKit.Oracle;

namespace Quern.Models.Tests.Parts;

/// <summary>Frequencies of the rotary encoding, with the scalings that files ask for.</summary>
public class RotaryTests
{
    private static readonly RopeConfig Config = new() { Dimensions = 128, Base = 10000, OriginalContextLength = 4096 };

    [Fact]
    public void FrequenciesArePowersOfTheBase()
    {
        RopeTable table = Rotary.Plain(128, 10000);
        Assert.Equal((64, 1f), (table.Pairs, table.Magnitude));
        for (int i = 0; i < 64; i++) Assert.Equal((float)Math.Pow(10000, -i / 64.0), table.Frequencies[i]);
    }

    [Fact]
    public void LinearScalingDividesAll()
    {
        RopeTable table = Rotary.Make(Config with { Scaling = RopeScaling.Linear, Factor = 4 }, null, 1);
        Assert.Equal(Rotary.Plain(128, 10000).Frequencies.Select(frequency => frequency / 4), table.Frequencies);
        Assert.Equal(1, table.Magnitude);
    }

    [Fact]
    public void DivisorsDivideEachPair()
    {
        float[] divisors = [.. Enumerable.Range(0, 64).Select(i => 1f + i)];
        RopeTable table = Rotary.Make(Config, divisors, 1.19f);
        for (int i = 0; i < 64; i++) Assert.Equal((float)(Math.Pow(10000, -i / 64.0) / (1 + i)), table.Frequencies[i]);
        Assert.Equal(1.19f, table.Magnitude);
    }

    [Fact]
    public void YarnKeepsFastPairsAndDividesSlowOnes()
    {
        RopeTable plain = Rotary.Plain(128, 10000);
        RopeTable yarn = Rotary.Make(Config with { Scaling = RopeScaling.Yarn, Factor = 8 }, null, 1);
        Assert.Equal(1 + (0.1 * Math.Log(8)), yarn.Magnitude, 1e-6);
        double before = 1;
        for (int i = 0; i < 64; i++)
        {
            double turns = 4096 * plain.Frequencies[i] / (2 * Math.PI), ratio = yarn.Frequencies[i] / plain.Frequencies[i];

            // The borders are rounded outwards to whole pairs, so the pair at a border may belong to either side.
            if (turns > 32 * 1.2) Assert.Equal(1, ratio, 1e-6);
            else if (turns < 1 / 1.2) Assert.Equal(1 / 8.0, ratio, 1e-6);
            else Assert.InRange(ratio, (1 / 8.0) - 1e-6, 1 + 1e-6);
            Assert.True(ratio <= before + 1e-6, $"pair {i} is kept more than pair {i - 1}");
            before = ratio;
        }
    }

    [Fact]
    public void YarnWithoutExtensionIsLinear() => Assert.Equal(
        Rotary.Make(Config with { Scaling = RopeScaling.Linear, Factor = 8 }, null, 1).Frequencies,
        Rotary.Make(Config with { Scaling = RopeScaling.Yarn, Factor = 8, ExtensionFactor = 0 }, null, 1).Frequencies);

    [Theory]
    [InlineData(64, 2f)]
    [InlineData(65, 3f)]
    public void TheContextLengthChoosesTheFactors(int contextLength, float divisor)
    {
        TinyModel tiny = new("phi3");
        tiny.Set("rope.scaling.original_context_length", 64u);
        tiny.Tensors["rope_factors_short.weight"] = ([4], [2, 2, 2, 2]);
        tiny.Tensors["rope_factors_long.weight"] = ([4], [3, 3, 3, 3]);
        RopeTable table = Bind(tiny, contextLength);
        Assert.Equal(Rotary.Plain(8, 10000).Frequencies.Select(frequency => frequency / divisor), table.Frequencies, (a, b) => Math.Abs(a - b) < 1e-7);

        // No factor in the file: √(1 + ln s / ln L) for a context of 64 stretched 4 times.
        Assert.Equal(Math.Sqrt(1 + (Math.Log(4) / Math.Log(64))), table.Magnitude, 1e-6);
        tiny.Set("rope.scaling.attn_factor", 1.19f);
        Assert.Equal(1.19f, Bind(tiny, contextLength).Magnitude);
    }

    private static RopeTable Bind(TinyModel tiny, int contextLength)
    {
        using GgufFile file = tiny.Open();
        using OracleBackend backend = new();
        return Rotary.Bind(new WeightBinder(file, backend, null), ModelConfig.Read(file), contextLength);
    }
}
