using FsCheck.Xunit;
using Quern.Engine.Sampling;
using static Quern.Engine.Tests.Sampling.Oracle;

namespace Quern.Engine.Tests.Sampling;

[Properties(Arbitrary = [typeof(Logits), typeof(Fraction)], MaxTest = 150)]
public class XtcTests
{
    [Property]
    public void Drops_all_top_choices_but_the_least_likely(Logits logits, Fraction t, byte minKeep)
    {
        SamplingOptions options = Only("xtc") with { XtcProbability = 1, XtcThreshold = (float)(t.Value * 0.6), MinKeep = minKeep / 16 };
        double[] probabilities = Softmax(logits.Values);
        int[] order = Descending(logits.Values);
        if (probabilities.Any(p => Math.Abs(p - options.XtcThreshold) < 1e-6 && p > 0)) return;
        int top = order.Count(token => probabilities[token] >= options.XtcThreshold);
        bool acts = options.XtcThreshold <= 0.5f && top >= 2 && order.Length - (top - 1) >= options.MinKeep;
        AssertLeft(order.Skip(acts ? top - 1 : 0), Doubles(logits.Values), Run(options, logits.Values));
    }

    [Property]
    public void Acts_alike_on_sorted_candidates(Logits logits, Fraction t)
    {
        SamplingOptions options = Only("xtc") with { XtcProbability = 1, XtcThreshold = (float)(t.Value * 0.5) };

        // A token on the very edge may fall to either side: the total is summed in another order.
        if (Softmax(logits.Values).Any(p => Math.Abs(p - options.XtcThreshold) < 1e-6 && p > 0)) return;
        Dictionary<int, double> sorted = Run(options with { Samplers = ["top_k", "xtc"], TopK = logits.Values.Length }, logits.Values);
        Assert.Equal(Run(options, logits.Values).Keys.Order(), sorted.Keys.Order());
    }

    [Fact]
    public void Acts_as_often_as_its_probability_says()
    {
        float[] logits = [3, 3, 3, 0];
        var chain = new SamplerChain(Only("xtc") with { XtcProbability = 0.3f, XtcThreshold = 0.1f, Seed = 5 }, 4, Context);
        int acted = Enumerable.Range(0, 10_000).Count(_ => chain.Distribution(logits).Length < 4);
        Assert.InRange(acted, 2_800, 3_200);
    }

    [Fact]
    public void Leaves_the_draws_of_the_chain_as_they_were()
    {
        float[] logits = [1, 2, 3, 4, 5];
        var without = new SamplerChain(Only("xtc") with { Seed = 9 }, 5, Context);
        var with = new SamplerChain(Only("xtc") with { Seed = 9, XtcProbability = 0.5f, XtcThreshold = 0.5f }, 5, Context);
        float[] single = [0, 0, 0, 0, 0];
        for (int i = 0; i < 100; i++) Assert.Equal(without.Sample(single), with.Sample(single));
        Assert.Equal(5, without.Distribution(logits).Length);
    }
}
