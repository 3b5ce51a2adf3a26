using System.Numerics;
using System.Runtime.InteropServices;

namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>Divides the logits; 0 or less takes the most likely token always.</summary>
    public float Temperature { get; init; } = 0.8f;

    /// <summary>The temperature follows the entropy within ± this range; 0 keeps it fixed.</summary>
    public float DynamicTemperatureRange { get; init; }

    /// <summary>The power of the normalised entropy at which the temperature follows it.</summary>
    public float DynamicTemperatureExponent { get; init; } = 1;
}

/// <summary>
/// logit ← logit / T; where T ≤ 0, or so small that the quotient is no float, only the largest logit stays. With a range r,
/// T = a + (b − a)·(H / log n)^exponent from a = max(0, T − r) to b = T + r, where H is the entropy of the n tokens in play.
/// Source: Zhang et al., "EDT: Improving Large Language Models' Generation by Entropy-based Dynamic Temperature Sampling" (arXiv:2403.14541), in
/// the form of llama.cpp's <c>llama_sampler_init_temp_ext</c>.
/// </summary>
internal sealed class Temperature : ISampler
{
    public static readonly SamplerEntry Entry = new(
        "temperature", 't', "flattens or sharpens the distribution", settings => new Temperature(settings.Options),
        new NumberOption("--temp", "temperature", "T", "divides the logits; 0 takes the most likely token", OptionRange.Finite,
            options => options.Temperature, (options, value) => options with { Temperature = (float)value })
        { Aliases = ["--temperature"] },
        new NumberOption("--dynatemp-range", "dynatemp_range", "R",
            "lets the temperature follow the entropy within T-R to T+R; 0 is off", OptionRange.AtLeast(0),
            options => options.DynamicTemperatureRange, (options, value) => options with { DynamicTemperatureRange = (float)value }),
        new NumberOption("--dynatemp-exp", "dynatemp_exponent", "X", "power of the entropy that the temperature follows", OptionRange.AtLeast(0),
            options => options.DynamicTemperatureExponent, (options, value) => options with { DynamicTemperatureExponent = (float)value }))
    { OtherNames = ["temp"] };

    private readonly float _temperature;
    private readonly double _range;
    private readonly double _exponent;

    private Temperature(SamplingOptions options, bool isDynamic = true)
    {
        _temperature = options.Temperature;
        _range = isDynamic ? options.DynamicTemperatureRange : 0;
        _exponent = options.DynamicTemperatureExponent;
    }

    /// <summary>The temperature before mirostat, which has no range.</summary>
    public static Temperature Fixed(SamplingOptions options) => new(options, isDynamic: false);

    public int Keeps => _temperature <= 0 && _range == 0 ? 1 : 0;

    public void Apply(Candidates candidates)
    {
        float max = candidates.MaxLogit();
        float temperature = _range > 0 ? Dynamic(candidates) : _temperature;
        if (temperature <= 0 || !float.IsFinite(max / temperature))
        {
            candidates.KeepLargest(1);
            return;
        }

        if (temperature == 1) return;
        Span<float> logits = candidates.Logits;
        Span<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        var divisor = new Vector<float>(temperature);
        foreach (ref Vector<float> v in vectors) v /= divisor;
        foreach (ref float logit in logits[(vectors.Length * Vector<float>.Count)..]) logit /= temperature;
    }

    /// <summary>H = log Σw − Σ w·log w / Σw for weights w = exp(logit − max), in nats.</summary>
    public static double Entropy(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, float max, double total)
    {
        double sum = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] > 0) sum += weights[i] * ((double)logits[i] - max);
        }

        return Math.Log(total) - sum / total;
    }

    private float Dynamic(Candidates candidates)
    {
        int count = candidates.CountAtLeast(float.MinValue);
        if (count < 2) return _temperature;
        ReadOnlySpan<float> weights = candidates.Weights(out float max, out double total);
        double normalised = Math.Clamp(Entropy(candidates.Logits, weights, max, total) / Math.Log(count), 0, 1);
        double low = Math.Max(0, _temperature - _range);
        return (float)(low + (_temperature + _range - low) * Math.Pow(normalised, _exponent));
    }
}
