namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>0 is off; 1 and 2 choose the version of mirostat, which with the temperature replaces the whole chain but the logit bias.</summary>
    public int Mirostat { get; init; }

    /// <summary>τ, the surprise in bits that mirostat aims at.</summary>
    public float MirostatTau { get; init; } = 5;

    /// <summary>η, how fast mirostat corrects itself.</summary>
    public float MirostatEta { get; init; } = 0.1f;
}

/// <summary>
/// Keeps the surprise of the tokens drawn, −log₂ p, near τ. A limit μ, first 2τ, is lowered by η·(surprise − τ) after each draw. Version 1
/// keeps k(μ) tokens, as for words under Zipf's law with an exponent fitted to the 100 most likely; version 2 keeps those with surprise ≤ μ.
/// Source: Basu et al., "Mirostat: A Neural Text Decoding Algorithm that Directly Controls Perplexity" (arXiv:2007.14966);
/// version 2 is its authors' later form (https://github.com/basusourya/mirostat).
/// </summary>
internal sealed class Mirostat : ISampler
{
    public static readonly SamplerEntry Entry = new(
        "mirostat", ' ', "holds the surprise of the text near a target",
        settings => settings.Options.Mirostat == 0 ? null : new Mirostat(settings.Options, settings.VocabularySize),
        new NumberOption("--mirostat", "mirostat", "N",
            "1 or 2 replaces all samplers but the temperature by mirostat of that version; 0 is off", new OptionRange(0, 2),
            options => options.Mirostat, (options, value) => options with { Mirostat = (int)value })
        { IsInteger = true },
        new NumberOption("--mirostat-ent", "mirostat_tau", "N", "surprise in bits that mirostat aims at", OptionRange.AtLeast(0),
            options => options.MirostatTau, (options, value) => options with { MirostatTau = (float)value }),
        new NumberOption("--mirostat-lr", "mirostat_eta", "N", "how fast mirostat corrects itself", OptionRange.AtLeast(0),
            options => options.MirostatEta, (options, value) => options with { MirostatEta = (float)value }));

    private const int Fitted = 100;

    private readonly int _version;
    private readonly double _tau;
    private readonly double _eta;
    private readonly double _vocabularySize;
    private double _mu;

    private Mirostat(SamplingOptions options, int vocabularySize)
    {
        (_version, _tau, _eta, _vocabularySize) = (options.Mirostat, options.MirostatTau, options.MirostatEta, vocabularySize);
        Reset();
    }

    public void Apply(Candidates candidates)
    {
        if (_version == 1)
        {
            candidates.KeepLargest(SurvivorsUnderZipf(candidates));
            return;
        }

        // p ≥ 2^−μ, as a logit: log p = logit − max − log Σ exp(logit − max).
        candidates.Weights(out float max, out double total);
        double threshold = max + Math.Log(total) - _mu * Math.Log(2);
        if (threshold > max) candidates.KeepLargest(1);
        else candidates.KeepAtLeast((float)Math.Max(threshold, float.MinValue));
    }

    public void Observe(double probability) => _mu -= _eta * (-Math.Log2(probability) - _tau);

    public void Reset() => _mu = 2 * _tau;

    public void CopyStateFrom(ISampler source) => _mu = ((Mirostat)source)._mu;

    /// <summary>k = (ε·2^μ / (1 − N^−ε))^(1/s) with ε = s − 1, from the least-squares fit of s to log pᵢ/pᵢ₊₁ = s·log (i+1)/i.</summary>
    private int SurvivorsUnderZipf(Candidates candidates)
    {
        ReadOnlySpan<ulong> keys = candidates.Largest(Fitted);
        double product = 0;
        double square = 0;
        for (int i = 0; i + 1 < keys.Length; i++)
        {
            double next = Candidates.LogitOf(keys[i + 1]);
            if (double.IsNegativeInfinity(next)) break;
            double t = Math.Log((i + 2.0) / (i + 1.0));
            product += t * (Candidates.LogitOf(keys[i]) - next);
            square += t * t;
        }

        if (square == 0) return 1;
        double s = product / square;
        double epsilon = s - 1;

        // ε / (1 − N^−ε) → 1 / log N for ε → 0, where Zipf's exponent is exactly 1.
        double ratio = Math.Abs(epsilon) < 1e-9 ? 1 / Math.Log(_vocabularySize) : epsilon / (1 - Math.Pow(_vocabularySize, -epsilon));
        double k = Math.Pow(ratio * Math.Pow(2, _mu), 1 / s);
        return k >= candidates.Count ? candidates.Count : Math.Max((int)k, 1);
    }
}
