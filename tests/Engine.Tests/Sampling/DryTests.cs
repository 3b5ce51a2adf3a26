using System.Text;
using FsCheck.Xunit;
using Quern.Engine.Sampling;
using static Quern.Engine.Tests.Sampling.Oracle;

namespace Quern.Engine.Tests.Sampling;

[Properties(Arbitrary = [typeof(History), typeof(Fraction)], MaxTest = 300)]
public class DryTests
{
    private static readonly float[] Six = [0.5f, 0.25f, 0f, 1f, -1f, 2f];

    [Property]
    public void Penalises_what_would_prolong_a_repetition(History history, byte allowed, byte lastN, bool truncated)
    {
        SamplingOptions options = Options() with { DryAllowedLength = allowed % 5, DryPenaltyLastN = lastN % 50 - 1 };
        if (truncated) options = options with { Samplers = ["top_k", "dry"], TopK = 5 };
        Dictionary<int, double> left = Run(options, Six, history.Tokens, DryBreakers.None);
        AssertLeft(Descending(Six).Take(truncated ? 5 : 6), Penalised(history.Tokens, options, []), left);
    }

    [Property]
    public void Repetitions_end_at_breakers_of_one_and_of_several_tokens(History history, byte allowed)
    {
        int[][] breakers = [[5], [0, 1], [0, 1, 2], [3, 3]];
        SamplingOptions options = Options() with { DryAllowedLength = allowed % 4 };
        Dictionary<int, double> left = Run(options, Six, history.Tokens, DryBreakers.FromTokens(breakers));
        AssertLeft(Enumerable.Range(0, 6), Penalised(history.Tokens, options, breakers), left);
    }

    [Property]
    public void Z_is_the_longest_common_prefix(History history)
    {
        int[] tokens = history.Tokens;
        int[] z = new int[tokens.Length];
        Dry.ZFunction(tokens, z);
        for (int i = 1; i < tokens.Length; i++) Assert.Equal(tokens.Skip(i).Zip(tokens).TakeWhile(pair => pair.First == pair.Second).Count(), z[i]);
    }

    [Fact]
    public void A_long_repetition_stays_finite_and_leaves_no_marks()
    {
        var chain = new SamplerChain(Options() with { DryBase = 4 }, 6, Context, DryBreakers.None);
        for (int i = 0; i < Context + 10; i++) chain.Accept(2);
        Dictionary<int, double> left = Run(chain, Six);
        Assert.Equal(0, left[2]);
        Assert.Equal(6, left.Count);
        chain.Reset();
        Assert.Equal(Softmax(Six)[2], Run(chain, Six)[2], 1e-6);
    }

    [Fact]
    public void Breakers_are_found_inside_tokens_and_across_them()
    {
        string[] pieces = ["a", "\n", ".\n", "END", "xE", "ND", "E", "N", "D", "é", "\n\n"];
        var breakers = DryBreakers.FromText(
            ["\n", "END"], pieces.Length, token => Encoding.UTF8.GetBytes(pieces[token]), text => text switch
            {
                "ND" => [5],
                "D" => [8],
                _ => throw new ArgumentException(text),
            });
        Assert.All(new[] { 1, 2, 3, 10 }, token => Assert.True(breakers.IsBreaker(token)));
        Assert.All(new[] { 0, 4, 5, 6, 7, 8, 9 }, token => Assert.False(breakers.IsBreaker(token)));
        Assert.Equal(1, breakers.TokensAfterLast([0, 5, 4, 0, 0]));
        Assert.Equal(2, breakers.TokensAfterLast([0, 0, 5, 6]));
        Assert.Equal(4, breakers.TokensAfterLast([0, 5, 9, 4]));
        Assert.Equal(3, breakers.TokensAfterLast([0, 0, 0]));
    }

    [Fact]
    public void Breakers_that_nobody_tokenised_are_asked_for()
    {
        var error = Assert.Throws<ArgumentException>(() => new SamplerChain(SamplingOptions.Default with { DryMultiplier = 1 }, 6, Context));
        Assert.Contains("dry_multiplier", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => DryBreakers.FromTokens([[1], []]));
    }

    private static SamplingOptions Options() => Only("dry") with { DryMultiplier = 0.8f, DryBase = 1.75f, DryAllowedLength = 2 };

    // Every pair of ends compared token by token: what the Z-function saves.
    private static double[] Penalised(int[] history, SamplingOptions options, int[][] breakers)
    {
        double[] logits = Doubles(Six);
        int[] window = options.DryPenaltyLastN < 0 ? history : [.. history.TakeLast(options.DryPenaltyLastN)];
        int limit = TokensAfterBreaker(window, breakers);
        if (window.Length <= options.DryAllowedLength || limit < options.DryAllowedLength) return logits;
        var longest = new Dictionary<int, int>();
        for (int end = 0; end + 1 < window.Length; end++)
        {
            int length = 0;
            while (length <= end && window[end - length] == window[^(1 + length)]) length++;
            length = Math.Min(length, limit);
            int next = window[end + 1];
            if (length >= options.DryAllowedLength) longest[next] = Math.Max(length, longest.GetValueOrDefault(next));
        }

        foreach ((int token, int length) in longest)
        {
            if (!breakers.Any(breaker => breaker.SequenceEqual([token]))) logits[token] -= options.DryMultiplier * Math.Pow(options.DryBase, length - options.DryAllowedLength);
        }

        return logits;
    }

    private static int TokensAfterBreaker(int[] window, int[][] breakers)
    {
        for (int start = window.Length - 1; start >= 0; start--)
        {
            int[][] here = [.. breakers.Where(breaker => window.Skip(start).Take(breaker.Length).SequenceEqual(breaker))];
            if (here.Length > 0) return window.Length - start - here.Max(breaker => breaker.Length);
        }

        return window.Length;
    }
}
