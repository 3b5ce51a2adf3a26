namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>Keeps the fewest of the most likely tokens whose probabilities reach this sum; 1 keeps all.</summary>
    public float TopP { get; init; } = 0.95f;
}

/// <summary>
/// Keeps the shortest prefix of the tokens, most likely first, whose probabilities add up to at least p and which has at least min_keep tokens.
/// Where the tokens are not sorted yet, only as many are sorted as the prefix asks for: 256, then eight times as many.
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

    private const int FirstSorted = 256;

    private readonly double _p;
    private readonly int _minKeep;

    private TopP(float p, int minKeep) => (_p, _minKeep) = (p, minKeep);

    public void Apply(Candidates candidates)
    {
        candidates.Weights(out float max, out double total);
        double wanted = _p * total;
        double sum = 0;
        int done = 0;
        for (int sorted = Math.Min(FirstSorted, candidates.Count); ; sorted = (int)Math.Min(8L * sorted, candidates.Count))
        {
            ReadOnlySpan<ulong> keys = candidates.Largest(sorted);
            while (done < keys.Length)
            {
                sum += MathF.Exp(Candidates.LogitOf(keys[done++]) - max);
                if (sum < wanted || done < _minKeep) continue;
                candidates.Keep(keys[..done]);
                return;
            }

            // Rounding can leave the sum of all just below p = 1 − ε.
            if (sorted == candidates.Count) return;
        }
    }
}
