namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>Keeps the most typical tokens whose probabilities exceed this sum; 1 keeps all.</summary>
    public float TypicalP { get; init; } = 1;
}

/// <summary>
/// Orders the tokens by |−log p − H|, the distance of their surprise to the entropy H of the distribution, and keeps the shortest prefix whose
/// probabilities add up to more than the limit and which has at least min_keep tokens. Ties go to the earlier candidate.
/// Source: Meister et al., "Locally Typical Sampling" (arXiv:2202.00666, section 4).
/// </summary>
internal sealed class Typical : ISampler
{
    public static readonly SamplerEntry Entry = new(
        "typ_p", 'y', "keeps tokens whose surprise is near the entropy",
        settings => settings.Options.TypicalP < 1 ? new Typical(settings.Options.TypicalP, settings.Options.MinKeep) : null,
        new NumberOption("--typical", "typical_p", "P", "keeps the most typical tokens whose probabilities exceed P; 1 keeps all", OptionRange.Probability,
            options => options.TypicalP, (options, value) => options with { TypicalP = (float)value })
        { Aliases = ["--typical-p"] })
    { OtherNames = ["typical", "typical_p", "typical-p", "typ", "typ-p"] };

    private readonly double _p;
    private readonly int _minKeep;

    private Typical(float p, int minKeep) => (_p, _minKeep) = (p, minKeep);

    public void Apply(Candidates candidates)
    {
        ReadOnlySpan<float> weights = candidates.Weights(out float max, out double total);
        ReadOnlySpan<float> logits = candidates.Logits;
        double entropy = Temperature.Entropy(logits, weights, max, total);
        double logTotal = Math.Log(total);

        Span<float> ranks = candidates.Ranks;
        for (int i = 0; i < ranks.Length; i++) ranks[i] = (float)Math.Abs(logTotal - ((double)logits[i] - max) - entropy);
        candidates.KeepPrefix(_p * total, isExceeded: true, _minKeep);
    }
}
