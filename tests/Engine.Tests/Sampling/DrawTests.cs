using FsCheck.Xunit;
using Quern.Engine.Sampling;
using static Quern.Engine.Tests.Sampling.Oracle;

namespace Quern.Engine.Tests.Sampling;

[Properties(Arbitrary = [typeof(Logits), typeof(Fraction)], MaxTest = 100)]
public class DrawTests
{
    private static readonly float[] Ten = [2, 1.5f, 1, 0.5f, 0, 0, -0.5f, -1, -2, float.NegativeInfinity];

    [Fact]
    public void Sample_draws_from_the_distribution()
    {
        const int Draws = 50_000;
        foreach (SamplingOptions options in new[] { Only(), Only("top_k", "temperature") with { TopK = 7, Temperature = 1.3f }, Only("min_p") with { MinP = 0.1f } })
        {
            var chain = new SamplerChain(options with { Seed = 11 }, Ten.Length, Context);
            Dictionary<int, double> expected = Run(chain, Ten);
            var counts = new Dictionary<int, int>();
            for (int i = 0; i < Draws; i++)
            {
                int token = chain.Sample(Ten);
                counts[token] = counts.GetValueOrDefault(token) + 1;
            }

            Assert.All(counts.Keys, token => Assert.Contains(token, expected.Keys));
            double chiSquare = expected.Sum(e => Math.Pow(counts.GetValueOrDefault(e.Key) - e.Value * Draws, 2) / (e.Value * Draws));

            // Far beyond the 99.9th percentile for up to 8 degrees of freedom, 26.1.
            Assert.InRange(chiSquare, 0, 40);
        }
    }

    [Property]
    public void A_uniform_number_falls_on_the_token_whose_share_holds_it(Logits logits, Fraction uniform)
    {
        var chain = new SamplerChain(Only(), logits.Values.Length, Context);
        Candidate[] distribution = chain.Distribution(logits.Values).ToArray();
        double u = Math.Min(uniform.Value, 0.999999);
        int drawn = Candidate.Draw(distribution, u);
        double total = distribution.Sum(candidate => (double)candidate.Probability);
        double before = distribution.Take(drawn).Sum(candidate => (double)candidate.Probability);
        Assert.True(distribution[drawn].Probability > 0);
        Assert.InRange(u * total, before - 1e-9, before + distribution[drawn].Probability + 1e-9);
    }

    [Fact]
    public void Candidates_of_probability_0_are_not_drawn()
    {
        Candidate[] distribution = [new(0, 0), new(1, 0.5f), new(2, 0), new(3, 0.5f), new(4, 0)];
        Assert.Equal(1, Candidate.Draw(distribution, 0));
        Assert.Equal(1, Candidate.Draw(distribution, 0.4999));
        Assert.Equal(3, Candidate.Draw(distribution, 0.5));
        Assert.Equal(3, Candidate.Draw(distribution, Math.BitDecrement(1.0)));
        Assert.Throws<ArgumentException>(() => Candidate.Draw([new Candidate(0, 0)], 0));
    }

    [Property]
    public void The_same_seed_draws_the_same_tokens(Logits logits, ulong seed)
    {
        SamplingOptions options = SamplingOptions.Default with { Seed = seed, XtcProbability = 0.5f };
        int[] first = Draws(new SamplerChain(options, logits.Values.Length, Context), logits.Values);
        var second = new SamplerChain(options, logits.Values.Length, Context);
        Assert.Equal(first, Draws(second, logits.Values));
        second.Reset();
        Assert.Equal(first, Draws(second, logits.Values));
    }

    [Fact]
    public void A_seed_that_was_drawn_can_be_read_and_used_again()
    {
        var chain = new SamplerChain(SamplingOptions.Default, Ten.Length, Context);
        var again = new SamplerChain(SamplingOptions.Default with { Seed = chain.Seed }, Ten.Length, Context);
        Assert.Equal(Draws(chain, Ten), Draws(again, Ten));
        ulong[] seeds = [.. Enumerable.Range(0, 8).Select(_ => new SamplerChain(SamplingOptions.Default, 2, 2).Seed).Distinct()];
        Assert.True(seeds.Length > 1);
    }

    [Fact]
    public void The_generator_gives_its_authors_numbers()
    {
        // Reference outputs of xoshiro256starstar.c from the state 1, 2, 3, 4 and of splitmix64.c from 1234567.
        var random = new Xoshiro256(1, 2, 3, 4);
        Assert.Equal([11520UL, 0UL, 1509978240UL, 1215971899390074240UL], Enumerable.Range(0, 4).Select(_ => random.Next()).ToArray());
        ulong state = 1234567;
        Assert.Equal([6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL], Enumerable.Range(0, 3).Select(_ => Xoshiro256.SplitMix64(ref state)).ToArray());
    }

    private static int[] Draws(SamplerChain chain, float[] logits)
    {
        int[] tokens = new int[40];
        for (int i = 0; i < tokens.Length; i++)
        {
            tokens[i] = chain.Sample(logits);
            chain.Accept(tokens[i]);
        }

        return tokens;
    }
}
