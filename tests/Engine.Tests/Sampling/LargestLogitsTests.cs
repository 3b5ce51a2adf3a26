using FsCheck.Xunit;
using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;
using Quern.TestKit.Oracle;

namespace Quern.Engine.Tests.Sampling;

/// <summary>A chain that is given the largest logits leaves what it leaves of all, to the last bit.</summary>
[Properties(Arbitrary = [typeof(Logits), typeof(Fraction)], MaxTest = 200)]
public sealed class LargestLogitsTests
{
    private static readonly SamplingOptions Default = new() { Seed = 5 };

    public static TheoryData<string, int> Depths => new()
    {
        { "default", 40 }, { "greedy", 1 }, { "greedy alone", 1 }, { "one", 1 }, { "greedy after typical", 40 }, { "greedy after top-p", 1 }, { "greedy mirostat", 1 }, { "dynamic greedy", 40 },
        { "no top-k", 0 }, { "top-p first", 0 }, { "penalties", 0 }, { "penalties behind", 40 }, { "dry", 0 }, { "sigma", 0 }, { "bias", 0 }, { "mirostat", 0 }, { "nothing", 0 },
    };

    private static Dictionary<string, SamplingOptions> Chains { get; } = new()
    {
        ["default"] = Default,
        ["greedy"] = Default with { Temperature = 0 },
        ["greedy alone"] = Default with { Temperature = 0, Samplers = ["temperature"] },
        ["one"] = Default with { TopK = 1 },
        ["greedy after typical"] = Default with { Temperature = 0, TypicalP = 0.5f },
        ["greedy after top-p"] = Default with { Temperature = 0, TopK = 0 },
        ["greedy mirostat"] = Default with { Temperature = 0, Mirostat = 2 },
        ["dynamic greedy"] = Default with { Temperature = 0, DynamicTemperatureRange = 1 },
        ["no top-k"] = Default with { TopK = 0 },
        ["top-p first"] = Default with { Samplers = ["top_p", "top_k", "temperature"] },
        ["penalties"] = Default with { RepeatPenalty = 1.1f },
        ["penalties behind"] = Default with { RepeatPenalty = 1.1f, Samplers = ["top_k", "penalties", "temperature"] },
        ["dry"] = Default with { DryMultiplier = 0.8f, DrySequenceBreakers = [] },
        ["sigma"] = Default with { TopNSigma = 1 },
        ["bias"] = Default with { LogitBias = new Dictionary<int, float> { [0] = 1 } },
        ["mirostat"] = Default with { Mirostat = 1 },
        ["nothing"] = Default with { Samplers = [] },
    };

    [Theory]
    [MemberData(nameof(Depths))]
    public void A_chain_looks_at_so_many(string name, int depth) => Assert.Equal(depth, new SamplerChain(Chains[name], 1000, 8).Depth);

    [Property]
    public void Distributions_are_the_same(Logits logits, Fraction p, Fraction chance, byte k, byte first, byte second, bool isHot)
    {
        float[] all = [.. logits.Values];
        SamplingOptions options = Default with
        {
            TopK = 1 + (k % 60),
            TopP = (float)p.Value,
            XtcProbability = (float)chance.Value,
            XtcThreshold = 0.1f,
            TypicalP = 0.5f + ((float)p.Value / 2),
            Temperature = isHot ? 1.7f : 0,
        };
        int[] excluded = [.. new[] { first % all.Length, second % all.Length }.Distinct()];
        int depth = options.TopK + excluded.Length;
        if (depth > all.Length) return;
        SamplerChain whole = new(options, all.Length, 8), part = new(options, all.Length, 8);
        float[] row = Largest(all, depth);
        foreach (int token in excluded) all[token] = float.NegativeInfinity;
        for (int draw = 0; draw < 3; draw++)
        {
            Exception? wrong = Record.Exception(() => whole.Distribution(all).ToArray());
            if (wrong is not null)
            {
                Assert.Equal(wrong.Message, Assert.ThrowsAny<Exception>(() => part.Distribution(new LargestLogits(row, depth), excluded)).Message);
                return;
            }

            Candidate[] expected = whole.Distribution(all).ToArray();
            part.Distribution(new LargestLogits(row, depth), excluded);
            Assert.Equal(expected, part.Distribution(new LargestLogits(row, depth), excluded).ToArray());
            Assert.Equal(whole.Sample(all), part.Draw(part.Distribution(new LargestLogits(row, depth), excluded)));
        }
    }

    [Property]
    public void Log_probabilities_are_the_same(Logits logits, byte many)
    {
        int depth = 1 + (many % Math.Min(20, logits.Values.Length)), token = Array.IndexOf(logits.Values, logits.Values.Max());
        TokenLogProbability[] expected = new TokenLogProbability[1 + depth], got = new TokenLogProbability[1 + depth];
        expected[0] = new TokenLogProbability(token, LogProbabilities.Of(logits.Values, token));
        LogProbabilities.Top(logits.Values, expected.AsSpan(1));
        LogProbabilities.Top(new LargestLogits(Largest(logits.Values, depth), depth), token, got);
        Assert.Equal(expected.Select(likely => likely.Token), got.Select(likely => likely.Token));
        Assert.All(expected.Zip(got), pair => Assert.True(pair.First == pair.Second || Math.Abs(pair.First.LogProbability - pair.Second.LogProbability) < 1e-5, $"{pair}"));
    }

    [Theory]
    [InlineData(float.NaN, false)]
    [InlineData(float.PositiveInfinity, false)]
    [InlineData(float.NegativeInfinity, true)]
    [InlineData(3, true)]
    public void What_is_no_number_is_looked_at_in_all_logits(float logit, bool isTaken)
    {
        PassLogits logits = new(null!, Largest([1, logit, 2], 2), 5, depth: 2);
        Assert.Equal(isTaken, logits.TryLargest(0, 2, out _));
        Assert.False(logits.TryLargest(0, 3, out _));
        Assert.False(logits.TryLargest(0, 0, out _));
    }

    private static unsafe float[] Largest(float[] logits, int depth)
    {
        float[] row = new float[1 + (2 * depth)];
        using OracleBackend oracle = new();
        fixed (float* source = logits, target = row) oracle.Largest(new Tensor((nint)source, 1, logits.Length, logits.Length), depth, new Tensor((nint)target, 1, row.Length, row.Length));
        return row;
    }
}
