using Quern.Engine.Sampling;

namespace Quern.Engine.Tests.Sampling;

/// <summary>
/// Drafted tokens that are verified are distributed as the target's own, by <see cref="GoodnessOfFit"/> over 20,000 draws (QUERN_DRAWS says how many) with a fixed seed; rules that are wrong on purpose are called wrong by
/// both of its tests.
/// </summary>
public sealed class VerifyTests
{
    private const int Vocabulary = 12;
    private static readonly float[] Target = [1.2f, 0.3f, -0.5f, 2.1f, 0, 0.9f, -2, 1.5f, -1, 0.2f, 0.6f, -0.1f];
    private static readonly float[] Draft = [0.1f, 1.3f, 0.5f, 1.4f, -1, 0.2f, -1, 2.2f, -2, 0.8f, -0.4f, 0.3f];

    private static SamplingOptions Plain { get; } = new() { Seed = 1, Temperature = 1, TopK = 0, TopP = 1, MinP = 0 };

    public static TheoryData<string> Chains => [.. Options.Keys];

    private static Dictionary<string, SamplingOptions> Options { get; } = new()
    {
        ["plain"] = Plain,
        ["temperature"] = Plain with { Temperature = 0.6f },
        ["top-k"] = Plain with { TopK = 4 },
        ["top-p"] = Plain with { TopP = 0.7f },
        ["min-p"] = Plain with { MinP = 0.2f },
        ["typical"] = Plain with { TypicalP = 0.6f },
        ["xtc"] = Plain with { XtcProbability = 0.5f, XtcThreshold = 0.1f },
        ["penalties"] = Plain with { RepeatPenalty = 1.5f, FrequencyPenalty = 0.3f, PresencePenalty = 0.4f, RepeatLastN = 16 },
        ["dry"] = Plain with { DryMultiplier = 1.5f, DryAllowedLength = 1, DrySequenceBreakers = [] },
        ["all"] = Plain with { TopK = 9, TopP = 0.95f, MinP = 0.02f, Temperature = 1.3f, RepeatPenalty = 1.2f, RepeatLastN = 16 },
    };

    private delegate int Rule(SamplerChain target, int drafted, ReadOnlySpan<Candidate> draft, Random random);

    private static int Right(SamplerChain target, int drafted, ReadOnlySpan<Candidate> draft, Random random) => target.Verify(target.Distribution(Target), drafted, draft, out _);

    [Theory]
    [MemberData(nameof(Chains))]
    public void Verified_tokens_are_distributed_as_the_targets_own(string chain) => Measure(Options[chain], Right).AssertFits();

    public static TheoryData<string, string> Mutants => new()
    {
        { "plain", "keep all" }, { "plain", "draw from p" }, { "plain", "chance p" }, { "plain", "never keep" }, { "top-k", "keep all" }, { "top-k", "draw from p" }, { "top-p", "draw from p" },
        { "temperature", "chance p" }, { "xtc", "keep all" }, { "penalties", "draw from p" },
    };

    [Theory]
    [MemberData(nameof(Mutants))]
    public void Wrong_rules_are_found_out(string chain, string rule)
    {
        GoodnessOfFit fit = Measure(Options[chain], Mutant(rule));
        Assert.True(fit.ChiSquare > fit.ChiSquareLimit, $"χ² {fit.ChiSquare}, limit {fit.ChiSquareLimit}");
        Assert.True(fit.Distance > fit.DistanceLimit, $"distance {fit.Distance}, limit {fit.DistanceLimit}");
    }

    // Rules that look right.
    private static Rule Mutant(string name) => (target, drafted, draft, random) =>
    {
        Candidate[] p = target.Distribution(Target).ToArray();
        float Of(ReadOnlySpan<Candidate> distribution)
        {
            foreach (Candidate candidate in distribution)
                if (candidate.Token == drafted) return candidate.Probability;
            return 0;
        }

        float pd = Of(p), qd = Of(draft);
        double chance = name switch { "keep all" => 1, "chance p" => pd, "never keep" => 0, _ => Math.Min(1, pd / qd) };
        if (random.NextDouble() < chance) return drafted;
        if (name is "draw from p") return p[Candidate.Draw(p, random.NextDouble())].Token;
        Dictionary<int, float> q = [];
        foreach (Candidate candidate in draft) q[candidate.Token] = candidate.Probability;
        Candidate[] left = [.. p.Select(candidate => candidate with { Probability = Math.Max(0, candidate.Probability - q.GetValueOrDefault(candidate.Token)) })];
        return left[Candidate.Draw(left, random.NextDouble())].Token;
    };

    private static GoodnessOfFit Measure(SamplingOptions options, Rule rule)
    {
        int[] history = [3, 7, 3, 7, 1, 3];
        DryBreakers? breakers = options.DryMultiplier == 0 ? null : DryBreakers.FromText([], Vocabulary, _ => default, _ => []);
        SamplerChain target = new(options, Vocabulary, 32, breakers);
        foreach (int token in history) target.Accept(token);
        SamplerChain draft = target.Clone();
        double[] expected = Expected(options, breakers, history);
        Random random = new(17);
        int draws = GoodnessOfFit.Draws(20_000);
        int[] seen = new int[Vocabulary];
        for (int i = 0; i < draws; i++)
        {
            Candidate[] q = draft.Distribution(Draft).ToArray();
            seen[rule(target, q[Candidate.Draw(q, random.NextDouble())].Token, q, random)]++;
        }

        return new GoodnessOfFit(expected, seen);
    }

    // XTC tosses a coin: the mean of both sides.
    private static double[] Expected(SamplingOptions options, DryBreakers? breakers, int[] history)
    {
        double[] expected = new double[Vocabulary];
        foreach ((float coin, double weight) in options.XtcProbability > 0 ? [(1f, options.XtcProbability), (0f, 1 - options.XtcProbability)] : new[] { (0f, 1.0) })
        {
            SamplerChain chain = new(options with { XtcProbability = coin }, Vocabulary, 32, breakers);
            foreach (int token in history) chain.Accept(token);
            foreach (Candidate candidate in chain.Distribution(Target)) expected[candidate.Token] += weight * candidate.Probability;
        }

        return expected;
    }
}
