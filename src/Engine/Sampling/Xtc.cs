namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>The chance, at each token, that XTC does anything; 0 is off.</summary>
    public float XtcProbability { get; init; }

    /// <summary>The probability from which a token counts as a top choice; above 0.5 is off, as two tokens cannot reach it.</summary>
    public float XtcThreshold { get; init; } = 0.1f;
}

/// <summary>
/// "Exclude top choices": with the given chance, drops every token whose probability is at least the threshold, except the least likely of
/// them; nothing if fewer than min_keep tokens would be left.
/// Source: p-e-w, text-generation-webui pull request 6335, which proposed it; llama.cpp, <c>llama_sampler_init_xtc</c>.
/// </summary>
internal sealed class Xtc : ISampler
{
    public static readonly SamplerEntry Entry = new(
        "xtc", 'x', "sometimes drops all top choices but the least likely",
        settings => settings.Options is { XtcProbability: > 0, XtcThreshold: <= 0.5f } ? new Xtc(settings.Options, settings.Seed) : null,
        new NumberOption("--xtc-probability", "xtc_probability", "P", "chance that XTC drops the top choices; 0 is off", OptionRange.Probability,
            options => options.XtcProbability, (options, value) => options with { XtcProbability = (float)value }),
        new NumberOption("--xtc-threshold", "xtc_threshold", "P", "probability from which a token is a top choice; above 0.5 is off", OptionRange.Probability,
            options => options.XtcThreshold, (options, value) => options with { XtcThreshold = (float)value }));

    // The coin has a stream of its own, so that turning XTC on does not shift the draws of the chain.
    private const ulong Stream = 0x5854_4321;

    private readonly double _probability;
    private readonly double _threshold;
    private readonly int _minKeep;
    private readonly ulong _seed;
    private Xoshiro256 _random;

    private Xtc(SamplingOptions options, ulong seed)
    {
        (_probability, _threshold, _minKeep) = (options.XtcProbability, options.XtcThreshold, options.MinKeep);
        _seed = seed ^ Stream;
        Reset();
    }

    public void Apply(Candidates candidates)
    {
        if (_random.NextDouble() >= _probability) return;
        ReadOnlySpan<float> weights = candidates.Weights(out _, out double total);
        double threshold = _threshold * total;
        int top = 0;
        ulong least = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] < threshold) continue;
            top++;
            least = Math.Max(least, Candidates.Key(candidates.Logits[i], candidates.TokenAt(i)));
        }

        if (top < 2 || weights.Length - (top - 1) < _minKeep) return;
        int kept = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] < threshold || Candidates.Key(candidates.Logits[i], candidates.TokenAt(i)) == least) candidates.Move(i, kept++);
        }

        candidates.Truncate(kept);
    }

    public void Reset() => _random = new Xoshiro256(_seed);

    public void CopyStateFrom(ISampler source) => _random = ((Xtc)source)._random;
}
