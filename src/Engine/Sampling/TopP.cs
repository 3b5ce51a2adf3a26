namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>Keeps the fewest of the most likely tokens whose probabilities reach this sum; 1 keeps all.</summary>
    public float TopP { get; init; } = 0.95f;
}

/// <summary>
/// Keeps the shortest prefix of the tokens, most likely first, whose probabilities add up to at least p and which has at least min_keep tokens.
/// Source: Holtzman et al., "The Curious Case of Neural Text Degeneration" (arXiv:1904.09751, section 3.1).
/// </summary>
internal sealed class TopP : ISampler
{
    public static readonly SamplerEntry Entry = new(
        "top_p", 'p', "keeps the most likely tokens up to a total probability",
        settings => settings.Options.TopP < 1 ? new TopP(settings.Options.TopP, settings.Options.MinKeep) : null,
        new NumberOption("--top-p", "top_p", "P", "keeps the most likely tokens whose probabilities reach P; 1 keeps all", OptionRange.Probability,
            options => options.TopP, (options, value) => options with { TopP = (float)value }))
    { OtherNames = ["nucleus"] };

    private readonly double _p;
    private readonly int _minKeep;

    private TopP(float p, int minKeep) => (_p, _minKeep) = (p, minKeep);

    public bool KeepsLargest => true;

    public void Apply(Candidates candidates)
    {
        ReadOnlySpan<float> weights = candidates.Weights(out _, out double total);
        double wanted = _p * total;
        if (!candidates.IsSorted)
        {
            candidates.RankByLogit();
            candidates.KeepPrefix(wanted, isExceeded: false, Math.Max(_minKeep, 1));
            return;
        }

        double sum = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            sum += weights[i];
            if (sum < wanted || i + 1 < _minKeep) continue;
            candidates.Truncate(i + 1);
            return;
        }
    }
}
