namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>Keeps tokens within this many standard deviations of the largest logit; 0 or less is off.</summary>
    public float TopNSigma { get; init; } = -1;
}

/// <summary>
/// Keeps the tokens with logit ≥ max − n·σ, where σ is the standard deviation of the logits in play (those of −∞ left out).
/// Source: Tang et al., "Top-nσ: Not All Logits Are You Need" (arXiv:2411.07641, algorithm 1).
/// </summary>
internal sealed class TopNSigma : ISampler
{
    public static readonly SamplerEntry Entry = new(
        "top_n_sigma", 's', "keeps tokens within n standard deviations of the best",
        settings => settings.Options.TopNSigma > 0 ? new TopNSigma(settings.Options.TopNSigma) : null,
        new NumberOption("--top-n-sigma", "top_n_sigma", "N",
            "keeps tokens within N standard deviations of the largest logit; 0 or less is off", OptionRange.Finite,
            options => options.TopNSigma, (options, value) => options with { TopNSigma = (float)value })
        { Aliases = ["--top-nsigma"] })
    { OtherNames = ["top_nsigma", "top-nsigma"] };

    private readonly float _n;

    private TopNSigma(float n) => _n = n;

    public void Apply(Candidates candidates)
    {
        double threshold = candidates.MaxLogit() - _n * Reductions.StandardDeviation(candidates.Logits);
        candidates.KeepAtLeast((float)Math.Max(threshold, float.MinValue));
    }
}
