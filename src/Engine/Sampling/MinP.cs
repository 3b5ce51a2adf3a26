namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>Keeps tokens at least this fraction as likely as the most likely one; 0 keeps all.</summary>
    public float MinP { get; init; } = 0.05f;
}

/// <summary>
/// Keeps the tokens whose probability is at least p times the largest: logit ≥ max + log p; and at least the min_keep most likely.
/// Source: Nguyen et al., "Turning Up the Heat: Min-p Sampling" (arXiv:2407.01082, section 3).
/// </summary>
internal sealed class MinP : ISampler
{
    public static readonly SamplerEntry Entry = new(
        "min_p", 'm', "drops tokens far less likely than the best",
        settings => settings.Options.MinP > 0 ? new MinP(settings.Options.MinP, settings.Options.MinKeep) : null,
        new NumberOption("--min-p", "min_p", "P", "keeps tokens at least P times as likely as the most likely; 0 keeps all", OptionRange.Probability,
            options => options.MinP, (options, value) => options with { MinP = (float)value }));

    private readonly float _logP;
    private readonly int _minKeep;

    private MinP(float p, int minKeep) => (_logP, _minKeep) = (MathF.Log(p), minKeep);

    public bool KeepsLargest => true;

    public void Apply(Candidates candidates)
    {
        float threshold = candidates.MaxLogit() + _logP;
        if (_minKeep > 1 && candidates.CountAtLeast(threshold) < _minKeep) candidates.KeepLargest(_minKeep);
        else candidates.KeepAtLeast(threshold);
    }
}
