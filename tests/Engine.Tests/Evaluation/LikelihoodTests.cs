using FsCheck.Xunit;
using Quern.Engine.Evaluation;

namespace Quern.Engine.Tests.Evaluation;

/// <summary>The statistics, and the likelihood of one token, against the formulas.</summary>
public sealed class LikelihoodTests
{
    [Property(MaxTest = 200)]
    public void An_estimate_has_the_mean_and_the_standard_error_of_the_formulas(int seed, ushort length, bool shifted)
    {
        double[] values = Values(seed, 2 + (length % 300), shifted ? 1e7 : 0);
        double mean = values.Sum() / values.Length;
        double deviation = Math.Sqrt(values.Sum(x => (x - mean) * (x - mean)) / (values.Length - 1));
        LikelihoodEstimate estimate = Of(values);
        Assert.Equal(values.Length, estimate.Tokens);
        Close(mean, estimate.Mean);
        Close(deviation / Math.Sqrt(values.Length), estimate.StandardError, shifted ? 1e-6 : 1e-12);
        if (shifted) return;
        Close(Math.Exp(mean), estimate.Perplexity);
        Close(Math.Exp(mean) * deviation / Math.Sqrt(values.Length), estimate.PerplexityStandardError);
        Assert.Equal(3 * values.Length, estimate.Bytes);
        Close(values.Sum(x => x / Math.Log(2)) / (3 * values.Length), estimate.BitsPerByte);
    }

    [Property(MaxTest = 200)]
    public void Estimates_of_parts_join_into_that_of_the_whole(int seed, byte first, byte second)
    {
        double[] values = Values(seed, first + second, 0);
        LikelihoodEstimate whole = Of(values), joined = Of(values[..first]).And(Of(values[first..]));
        Assert.Equal((whole.Tokens, whole.Bytes), (joined.Tokens, joined.Bytes));
        Close(whole.Mean, joined.Mean);
        Close(whole.StandardError, joined.StandardError);
    }

    [Fact]
    public void Too_few_tokens_have_no_estimate()
    {
        LikelihoodEstimate none = default;
        Assert.All([none.Mean, none.StandardError, none.Perplexity, none.BitsPerByte], value => Assert.True(double.IsNaN(value)));
        LikelihoodEstimate one = none.With(Math.Log(8), 3);
        Assert.Equal(8, one.Perplexity, 12);
        Assert.Equal(1, one.BitsPerByte, 12);
        Assert.True(double.IsNaN(one.StandardError));
    }

    [Property(MaxTest = 300)]
    public void The_likelihood_of_a_token_is_that_of_the_formula(int seed, byte length, byte begin, bool far)
    {
        Random random = new(seed);
        int count = 1 + (length % 80), offset = begin % 17;
        float[] logits = [.. Enumerable.Range(0, offset + count).Select(_ => (float)((random.NextDouble() - 0.5) * (far ? 20000 : 30)))];
        ReadOnlySpan<float> row = logits.AsSpan(offset);
        int token = random.Next(count);
        double max = logits[offset..].Max(), sum = 0;
        foreach (float logit in row) sum += Math.Exp(logit - max);
        double expected = Math.Log(sum) + max - row[token];
        double actual = TokenLikelihood.Negative(row, token);
        Assert.True(Math.Abs(expected - actual) <= 1e-11 * Math.Max(1, Math.Abs(expected)), $"{actual} instead of {expected}");
    }

    [Fact]
    public void Impossible_tokens_and_logits_that_are_no_numbers_are_told()
    {
        float[] logits = new float[20];
        logits[3] = float.NegativeInfinity;
        Assert.Equal(double.PositiveInfinity, TokenLikelihood.Negative(logits, 3));
        Assert.Equal(Math.Log(19), TokenLikelihood.Negative(logits, 4), 12);
        foreach (int place in new[] { 0, 7, 19 })
        {
            foreach (float wrong in new[] { float.NaN, float.PositiveInfinity })
            {
                float[] damaged = new float[20];
                damaged[place] = wrong;
                Assert.True(double.IsNaN(TokenLikelihood.Negative(damaged, 5)), $"{wrong} at {place}");
            }
        }
    }

    private static LikelihoodEstimate Of(double[] values) => values.Aggregate(default(LikelihoodEstimate), (sum, value) => sum.With(value, 3));

    private static double[] Values(int seed, int count, double shift)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => shift - Math.Log(1 - random.NextDouble()))];
    }

    private static void Close(double expected, double actual, double tolerance = 1e-11) =>
        Assert.True((double.IsNaN(expected) && double.IsNaN(actual)) || Math.Abs(expected - actual) <= tolerance * Math.Max(1, Math.Abs(expected)), $"{actual} instead of {expected}");
}
