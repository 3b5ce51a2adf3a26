using FsCheck.Xunit;
using Quern.Engine.Sampling;
using static Quern.Engine.Tests.Sampling.Oracle;

namespace Quern.Engine.Tests.Sampling;

[Properties(Arbitrary = [typeof(Logits), typeof(History)], MaxTest = 100)]
public class SamplerChainTests
{
    private static SamplingOptions Everything => SamplingOptions.Default with
    {
        Seed = 7,
        RepeatPenalty = 1.1f,
        FrequencyPenalty = 0.1f,
        PresencePenalty = 0.1f,
        DryMultiplier = 0.8f,
        TopNSigma = 3,
        TopK = 200,
        TypicalP = 0.99f,
        TopP = 0.98f,
        MinP = 0.001f,
        MinKeep = 2,
        XtcProbability = 0.5f,
        DynamicTemperatureRange = 0.3f,
        LogitBias = new Dictionary<int, float> { [3] = 1, [4] = float.NegativeInfinity },
    };

    [Fact]
    public void Samplers_run_in_the_order_given()
    {
        // At temperature 4 the second token reaches half of the first; at 1 it does not.
        float[] logits = [2, 0, -9];
        SamplingOptions options = Only("temperature", "min_p") with { Temperature = 4, MinP = 0.5f };
        Assert.Equal([0, 1], Run(options, logits).Keys.Order());
        Assert.Equal([0], Run(options with { Samplers = ["min_p", "temperature"] }, logits).Keys);
        Assert.Equal(3, Run(options with { Samplers = [] }, logits).Count);
    }

    [Fact]
    public void Greedy_is_the_default_chain_at_temperature_0()
    {
        float[] logits = [1, 5, 5, 2];
        var chain = new SamplerChain(SamplingOptions.Default with { Temperature = 0 }, 4, Context);
        for (int i = 0; i < 20; i++) Assert.Equal(1, chain.Sample(logits));
        Assert.Equal([new Candidate(1, 1)], chain.Distribution(logits).ToArray());
    }

    [Property]
    public void The_default_chain_is_its_samplers_one_after_another(Logits logits)
    {
        // Each step alone, on what the step before left: the logarithms of its probabilities are logits.
        double[] current = Doubles(logits.Values);
        foreach (string sampler in SamplerTable.DefaultOrder)
        {
            Dictionary<int, double> left = Run(Only(sampler), Array.ConvertAll(current, x => (float)x));
            current = [.. current.Select((_, token) => left.TryGetValue(token, out double p) ? Math.Log(p) : double.NegativeInfinity)];
        }

        double[] expected = Softmax(current);
        Dictionary<int, double> whole = Run(SamplingOptions.Default, logits.Values);

        // A token on the very edge of top-p or min-p may fall to either side.
        if (whole.Count == expected.Count(p => p > 0))
        {
            foreach ((int token, double p) in whole) Assert.Equal(expected[token], p, 1e-4);
        }
        else
        {
            Assert.InRange(whole.Count, expected.Count(p => p > 0) - 1, expected.Count(p => p > 0) + 1);
        }
    }

    [Theory]
    [InlineData(float.NaN, "NaN at token 21")]
    [InlineData(float.PositiveInfinity, "+∞ at token 21")]
    public void Unsound_logits_are_refused_by_token(float value, string expected)
    {
        for (int length = 22; length < 60; length += 5)
        {
            float[] logits = new float[length];
            logits[21] = value;
            var error = Assert.Throws<InvalidOperationException>(() => new SamplerChain(SamplingOptions.Default, length, Context).Sample(logits));
            Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_border_that_is_crossed_is_named()
    {
        var chain = new SamplerChain(SamplingOptions.Default, 3, Context);
        Assert.Contains("expected the vocabulary's size, 3", Assert.Throws<ArgumentException>(() => chain.Sample([1, 2])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => chain.Accept(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => chain.Accept(-1));
        float[] none = [float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity];
        Assert.Contains("excluded", Assert.Throws<InvalidOperationException>(() => chain.Sample(none)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new SamplerChain(SamplingOptions.Default, 3, Context, workspace: new SamplingWorkspace(4)));
        Assert.Throws<ArgumentException>(() => chain.CopyStateFrom(new SamplerChain(SamplingOptions.Default with { TopK = 1 }, 3, Context)));
    }

    [Property]
    public void A_clone_goes_on_alike_and_then_its_own_way(History history)
    {
        float[] logits = [1, 0.5f, 0, 2, 0.75f, 0.25f];
        foreach (int mirostat in new[] { 0, 1, 2 })
        {
            var chain = new SamplerChain(Everything with { Mirostat = mirostat, RepeatLastN = 8 }, 6, Context, DryBreakers.None);
            foreach (int token in history.Tokens) chain.Accept(token);
            chain.Sample(logits);
            SamplerChain clone = chain.Clone();
            SamplerChain saved = chain.Clone(new SamplingWorkspace(6));
            int[] expected = Continue(clone, logits);
            for (int i = 0; i < 10; i++) saved.Accept(i % 6);
            Continue(saved, logits);
            Assert.Equal(expected, Continue(chain, logits));
            saved.CopyStateFrom(chain);
            clone.CopyStateFrom(chain);
            Assert.Equal(Continue(chain, logits), Continue(saved, logits));
            Assert.Equal(Run(chain.Clone(), logits), Run(saved.Clone(), logits));
        }
    }

    [Fact]
    public void Chains_can_share_a_workspace()
    {
        var workspace = new SamplingWorkspace(6);
        float[] logits = [1, 0.5f, 0, 2, 0.75f, 0.25f];
        SamplerChain[] shared = [.. Enumerable.Range(0, 2).Select(i => new SamplerChain(Everything with { Seed = (ulong)i }, 6, Context, DryBreakers.None, workspace))];
        SamplerChain[] alone = [.. shared.Select(chain => chain.Clone())];
        for (int i = 0; i < 50; i++)
        {
            for (int c = 0; c < 2; c++)
            {
                int token = shared[c].Sample(logits);
                Assert.Equal(alone[c].Sample(logits), token);
                shared[c].Accept(token);
                alone[c].Accept(token);
            }
        }
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    public void No_token_allocates(int mirostat, bool truncated)
    {
        const int N = 5000;
        SamplingOptions options = Everything with { Mirostat = mirostat, Samplers = truncated ? SamplerTable.DefaultOrder : ["typ_p", "top_p", "dry", "penalties", "xtc", "temperature"] };
        var chain = new SamplerChain(options, N, Context, DryBreakers.FromTokens([[9], [10, 11]]));
        SamplerChain other = chain.Clone();
        var random = new Random(1);
        float[] logits = [.. Enumerable.Range(0, N).Select(_ => random.NextSingle() * 12)];
        Step(chain, other, logits, 20);
        // The runtime allocates a little now and then by itself; a token that allocates would do so in every round.
        long least = long.MaxValue;
        for (int round = 0; round < 4 && least > 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Step(chain, other, logits, 250);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    private static void Step(SamplerChain chain, SamplerChain other, float[] logits, int tokens)
    {
        for (int i = 0; i < tokens; i++)
        {
            chain.Accept(chain.Sample(logits));
            if (i % 100 == 0) other.CopyStateFrom(chain);
            if (i == tokens / 2) chain.Reset();
        }
    }

    private static int[] Continue(SamplerChain chain, float[] logits)
    {
        int[] tokens = new int[20];
        for (int i = 0; i < tokens.Length; i++) chain.Accept(tokens[i] = chain.Sample(logits));
        return tokens;
    }
}
