using FsCheck.Xunit;
using Quern.Engine.Sampling;
using static Quern.Engine.Tests.Sampling.Oracle;

namespace Quern.Engine.Tests.Sampling;

[Properties(Arbitrary = [typeof(Logits), typeof(Fraction)], MaxTest = 100)]
public class MirostatTests
{
    // Zipf's law with exponent 1.1 over 5000 words: its own entropy is about 8.6 bits, so that every τ below is within reach.
    private static readonly float[] Zipf = [.. Enumerable.Range(1, 5000).Select(rank => -1.1f * MathF.Log(rank))];

    [Theory]
    [InlineData(1, 3f)]
    [InlineData(1, 5f)]
    [InlineData(2, 3f)]
    [InlineData(2, 5f)]
    public void Surprise_stays_near_tau(int version, float tau)
    {
        var chain = new SamplerChain(SamplingOptions.Default with { Mirostat = version, MirostatTau = tau, Temperature = 1, Seed = 3 }, Zipf.Length, Context);
        double sum = 0;
        const int Draws = 3000;
        for (int i = -300; i < Draws; i++)
        {
            Dictionary<int, double> distribution = Run(chain, Zipf);
            int token = chain.Sample(Zipf);
            if (i >= 0) sum += -Math.Log2(distribution[token]);
        }

        Assert.InRange(sum / Draws, tau - 0.15, tau + 0.15);
    }

    [Property]
    public void Version_2_first_leaves_what_is_at_most_2_tau_bits_surprising(Logits logits, Fraction t)
    {
        SamplingOptions options = SamplingOptions.Default with { Mirostat = 2, MirostatTau = (float)(4 * t.Value), Temperature = 1 };
        double[] probabilities = Softmax(logits.Values);
        double limit = 2 * (double)options.MirostatTau;
        if (probabilities.Any(p => Math.Abs(-Math.Log2(p) - limit) < 1e-4)) return;
        int[] expected = [.. Enumerable.Range(0, probabilities.Length).Where(token => -Math.Log2(probabilities[token]) <= limit)];
        AssertLeft(expected.Length > 0 ? expected : [Descending(logits.Values)[0]], Doubles(logits.Values), Run(options, logits.Values));
    }

    [Fact]
    public void Version_1_leaves_the_paper_s_k_under_zipf()
    {
        // With s = 1.1 exactly: ε = 0.1 and k = (ε·2^μ / (1 − N^−ε))^(1/s), μ = 2τ.
        double k = Math.Pow(0.1 * Math.Pow(2, 6) / (1 - Math.Pow(Zipf.Length, -0.1)), 1 / 1.1);
        Dictionary<int, double> left = Run(SamplingOptions.Default with { Mirostat = 1, MirostatTau = 3, Temperature = 1 }, Zipf);
        Assert.InRange(left.Count, (int)k - 1, (int)k + 1);
        Assert.Equal(Enumerable.Range(0, left.Count), left.Keys.Order());
    }

    [Property]
    public void Replaces_the_chain_but_bias_and_temperature(Logits logits)
    {
        SamplingOptions plain = SamplingOptions.Default with { Mirostat = 2, Temperature = 2 };
        SamplingOptions ignored = plain with { TopK = 1, MinP = 1, TopP = 0, RepeatPenalty = 2, DynamicTemperatureRange = 1, Samplers = ["top_k"] };
        Assert.Equal(Run(plain, logits.Values), Run(ignored, logits.Values, [0, 0]));
        double[] halved = [.. logits.Values.Select(x => x / 2.0)];
        AssertSoftmax(halved, Run(ignored, logits.Values));
    }

    [Fact]
    public void Observing_a_probability_is_what_sampling_does()
    {
        SamplingOptions options = SamplingOptions.Default with { Mirostat = 2, Seed = 4 };
        var sampling = new SamplerChain(options, Zipf.Length, Context);
        SamplerChain observing = sampling.Clone();
        for (int i = 0; i < 20; i++)
        {
            Dictionary<int, double> distribution = Run(observing, Zipf);
            int token = sampling.Sample(Zipf);
            observing.Observe((float)distribution[token]);
            Assert.Equal(Run(sampling, Zipf), Run(observing, Zipf));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => observing.Observe(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => observing.Observe(float.NaN));
    }
}
