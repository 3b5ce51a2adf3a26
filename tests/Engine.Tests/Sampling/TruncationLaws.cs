using FsCheck.Xunit;
using Quern.Engine.Sampling;
using static Quern.Engine.Tests.Sampling.Oracle;

namespace Quern.Engine.Tests.Sampling;

[Properties(Arbitrary = [typeof(Logits), typeof(Fraction)], MaxTest = 150)]
public class TruncationLaws
{
    private const double Near = 1e-5;

    [Property]
    public void Top_k_leaves_the_k_largest(Logits logits, byte k)
    {
        Dictionary<int, double> left = Run(Only("top_k") with { TopK = k }, logits.Values);
        AssertLeft(Descending(logits.Values).Take(k == 0 ? int.MaxValue : k), Doubles(logits.Values), left);
    }

    [Property]
    public void Top_p_leaves_the_shortest_prefix_that_reaches_p(Logits logits, Fraction p)
    {
        Dictionary<int, double> left = Run(Only("top_p") with { TopP = (float)p.Value }, logits.Values);
        AssertShortestPrefix(Descending(logits.Values), Softmax(logits.Values), p.Value, left, minKeep: 0);
        AssertSoftmax(Doubles(logits.Values), left);
    }

    [Property]
    public void Top_p_leaves_min_keep(Logits logits, Fraction p, byte minKeep)
    {
        Dictionary<int, double> left = Run(Only("top_p") with { TopP = (float)p.Value, MinKeep = minKeep }, logits.Values);
        AssertShortestPrefix(Descending(logits.Values), Softmax(logits.Values), p.Value, left, minKeep);
    }

    [Property]
    public void Top_p_after_top_k_is_top_p_of_what_top_k_leaves(Logits logits, Fraction p)
    {
        Dictionary<int, double> left = Run(Only("top_k", "top_p") with { TopK = 20, TopP = (float)p.Value }, logits.Values);
        int[] order = [.. Descending(logits.Values).Take(20)];
        double[] probabilities = new double[logits.Values.Length];
        double[] among = Softmax([.. order.Select(token => (double)logits.Values[token])]);
        for (int i = 0; i < order.Length; i++) probabilities[order[i]] = among[i];
        AssertShortestPrefix(order, probabilities, p.Value, left, minKeep: 0);
    }

    [Property]
    public void Min_p_leaves_exactly_the_tokens_of_at_least_p_times_the_best(Logits logits, Fraction p, byte minKeep)
    {
        Dictionary<int, double> left = Run(Only("min_p") with { MinP = (float)p.Value, MinKeep = minKeep / 8 }, logits.Values);
        double[] probabilities = Softmax(logits.Values);
        double threshold = p.Value * probabilities.Max();
        int[] order = Descending(logits.Values);
        for (int rank = 0; rank < order.Length; rank++)
        {
            double probability = probabilities[order[rank]];
            if (probability == 0) continue;
            if (probability > threshold * (1 + Near) || rank < minKeep / 8) Assert.Contains(order[rank], left.Keys);
            else if (probability < threshold * (1 - Near)) Assert.DoesNotContain(order[rank], left.Keys);
        }

        AssertSoftmax(Doubles(logits.Values), left);
    }

    [Property]
    public void Typical_leaves_the_tokens_whose_surprise_is_nearest_the_entropy(Logits logits, Fraction p, byte minKeep)
    {
        SamplingOptions options = Only("typ_p") with { TypicalP = (float)p.Value, MinKeep = minKeep / 8 };
        Dictionary<int, double> left = Run(options, logits.Values);
        double[] probabilities = Softmax(logits.Values);
        double entropy = Entropy(probabilities);
        double Distance(int token) => Math.Abs(-Math.Log(probabilities[token]) - entropy);
        int[] dropped = [.. Enumerable.Range(0, probabilities.Length).Where(token => probabilities[token] > 0 && !left.ContainsKey(token))];
        if (p.Value >= 1)
        {
            Assert.Empty(dropped);
            return;
        }

        // None that was dropped is nearer than one that was kept; the sum of the kept exceeds p, and without the farthest would not.
        double farthest = left.Keys.Max(Distance);
        Assert.All(dropped, token => Assert.True(Distance(token) >= farthest - 1e-4));
        double sum = left.Keys.Sum(token => probabilities[token]);
        Assert.True(dropped.Length == 0 || sum > p.Value - Near);
        Assert.True(left.Count >= Math.Min(options.MinKeep, FiniteCount(logits.Values)));
        double least = left.Keys.Where(token => Distance(token) >= farthest - 1e-4).Max(token => probabilities[token]);
        Assert.True(left.Count == 1 || left.Count <= options.MinKeep || sum - least <= p.Value + Near);
        AssertSoftmax(Doubles(logits.Values), left);
    }

    [Property]
    public void Top_n_sigma_leaves_the_tokens_within_n_deviations_of_the_best(Logits logits, Fraction n)
    {
        double factor = 4 * n.Value;
        Dictionary<int, double> left = Run(Only("top_n_sigma") with { TopNSigma = (float)factor }, logits.Values);
        double[] finite = [.. logits.Values.Where(x => x > float.NegativeInfinity).Select(x => (double)x)];
        double mean = finite.Average();
        double sigma = Math.Sqrt(finite.Average(x => (x - mean) * (x - mean)));
        double threshold = factor > 0 ? finite.Max() - factor * sigma : double.MinValue;
        for (int token = 0; token < logits.Values.Length; token++)
        {
            if (logits.Values[token] > threshold + Near) Assert.Contains(token, left.Keys);
            else if (logits.Values[token] < threshold - Near) Assert.DoesNotContain(token, left.Keys);
        }

        AssertSoftmax(Doubles(logits.Values), left);
    }

    [Property]
    public void Every_truncation_leaves_the_best_or_something(Logits logits, Fraction p)
    {
        SamplingOptions options = SamplingOptions.Default with
        {
            Seed = 1,
            TopNSigma = 1,
            TopK = 1 + (int)(p.Value * 10),
            TopP = (float)p.Value,
            TypicalP = (float)p.Value,
            MinP = (float)p.Value,
        };
        Dictionary<int, double> left = Run(options, logits.Values);
        Assert.NotEmpty(left);
        Assert.InRange(left.Values.Sum(), 1 - 1e-4, 1 + 1e-4);
    }

    private static void AssertShortestPrefix(int[] order, double[] probabilities, double p, Dictionary<int, double> left, int minKeep)
    {
        int finite = order.Count(token => probabilities[token] > 0);
        Assert.Equal(order.Take(left.Count).Order(), left.Keys.Order());
        Assert.True(left.Count >= Math.Min(Math.Max(minKeep, 1), finite));
        double sum = order.Take(left.Count).Sum(token => probabilities[token]);
        Assert.True(sum >= p - Near || left.Count == finite);
        double before = sum - probabilities[order[left.Count - 1]];
        Assert.True(left.Count <= Math.Max(minKeep, 1) || before < p + Near);
    }
}
