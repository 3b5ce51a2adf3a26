using FsCheck.Xunit;
using Quern.Engine.Sampling;
using static Quern.Engine.Tests.Sampling.Oracle;

namespace Quern.Engine.Tests.Sampling;

[Properties(Arbitrary = [typeof(Logits), typeof(Fraction), typeof(History)], MaxTest = 150)]
public class ReshapingLaws
{
    private static readonly float[] Six = [2.5f, -1.25f, 0f, 4f, -3f, 1f];

    [Property]
    public void Temperature_divides_the_log_odds(Logits logits, Fraction t)
    {
        float temperature = (float)(0.05 + 3 * t.Value);
        Dictionary<int, double> left = Run(Only("temperature") with { Temperature = temperature }, logits.Values);
        int best = Descending(logits.Values)[0];
        Assert.Equal(FiniteCount(logits.Values), left.Count);
        foreach ((int token, double probability) in left)
        {
            if (probability < 1e-30) continue;
            double logOdds = Math.Log(probability / left[best]);
            double expected = ((double)logits.Values[token] - logits.Values[best]) / temperature;
            Assert.InRange(logOdds, expected - 1e-3, expected + 1e-3);
        }
    }

    [Property]
    public void Temperature_zero_or_less_or_tiny_leaves_the_best_alone(Logits logits, Fraction t)
    {
        int best = Descending(logits.Values)[0];
        Assert.Equal([best], Run(Only("temperature") with { Temperature = 0 }, logits.Values).Keys);
        Assert.Equal([best], Run(Only("temperature") with { Temperature = -(float)t.Value }, logits.Values).Keys);
        Dictionary<int, double> cold = Run(Only("temperature") with { Temperature = 1e-42f }, logits.Values);
        Assert.Contains(best, cold.Keys);
        Assert.All(cold, token => Assert.True(token.Value == 0 || logits.Values[token.Key] == logits.Values[best]));
    }

    [Property]
    public void Dynamic_temperature_follows_the_entropy(Logits logits, Fraction t, Fraction r, Fraction x)
    {
        (float temperature, float range, float exponent) = ((float)(0.2 + t.Value), (float)(2 * r.Value), (float)(0.1 + 2 * x.Value));
        SamplingOptions options = Only("temperature") with { Temperature = temperature, DynamicTemperatureRange = range, DynamicTemperatureExponent = exponent };
        Dictionary<int, double> left = Run(options, logits.Values);
        int finite = FiniteCount(logits.Values);
        if (finite < 2)
        {
            Assert.Single(left);
            return;
        }

        double low = Math.Max(0, temperature - range);
        double normalised = Math.Clamp(Entropy(Softmax(logits.Values)) / Math.Log(finite), 0, 1);
        double dynamic = range > 0 ? low + (temperature + range - low) * Math.Pow(normalised, exponent) : temperature;
        if (dynamic < 0.05) return; // The quotient magnifies what float lost of the entropy.
        double[] expected = Softmax([.. logits.Values.Select(v => v / dynamic)]);
        foreach ((int token, double probability) in left) Assert.InRange(probability, expected[token] * 0.98 - 1e-6, expected[token] * 1.02 + 1e-6);
    }

    [Property]
    public void Logit_bias_adds_and_bans(Logits logits, int[] tokens, Fraction amount)
    {
        int n = logits.Values.Length;
        var biases = tokens.Select(token => (int)((uint)token % (uint)n)).Distinct()
            .ToDictionary(token => token, token => token % 3 == 0 ? float.NegativeInfinity : (float)(8 * amount.Value - 4));
        double[] expected = [.. logits.Values.Select((x, token) => x + (double)biases.GetValueOrDefault(token))];
        if (expected.All(double.IsNegativeInfinity)) return;
        Dictionary<int, double> left = Run(Only() with { LogitBias = biases }, logits.Values);
        AssertLeft(Enumerable.Range(0, n), expected, left);
    }

    [Property]
    public void Penalties_follow_their_formula(History history, Fraction r, Fraction f, Fraction p, byte lastN)
    {
        (float repeat, float frequency, float presence) = ((float)(0.5 + r.Value), (float)f.Value - 0.3f, (float)p.Value - 0.3f);
        SamplingOptions options = Only("penalties") with { RepeatPenalty = repeat, FrequencyPenalty = frequency, PresencePenalty = presence, RepeatLastN = lastN % 32 - 1 };
        Dictionary<int, double> left = Run(options, Six, history.Tokens);
        AssertLeft(Enumerable.Range(0, Six.Length), Penalised(history.Tokens, options), left);
    }

    [Property]
    public void Penalties_after_a_truncation_reach_what_it_left(History history, Fraction r)
    {
        SamplingOptions options = Only("top_k", "penalties", "top_p") with { TopK = 4, RepeatPenalty = (float)(1 + r.Value), PresencePenalty = 1, TopP = 0.9999999f };
        Dictionary<int, double> left = Run(options, Six, history.Tokens);
        double[] expected = Penalised(history.Tokens, options);
        AssertLeft(Descending(Six).Take(4), expected, left);
    }

    private static double[] Penalised(int[] history, SamplingOptions options)
    {
        int[] window = options.RepeatLastN < 0 ? history : [.. history.TakeLast(options.RepeatLastN)];
        double[] logits = Doubles(Six);
        foreach (IGrouping<int, int> seen in window.GroupBy(token => token))
        {
            ref double logit = ref logits[seen.Key];
            logit = logit > 0 ? logit / options.RepeatPenalty : logit * options.RepeatPenalty;
            logit -= seen.Count() * (double)options.FrequencyPenalty + options.PresencePenalty;
        }

        return logits;
    }
}
