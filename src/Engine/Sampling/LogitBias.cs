using System.Globalization;

namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>What is added to the logit of a token before all else; −∞ bans the token.</summary>
    public IReadOnlyDictionary<int, float> LogitBias { get; init; } = new Dictionary<int, float>();
}

/// <summary>
/// logit[token] += bias[token], before every other sampler. A sum beyond the range of a float stays at its end, so that only a bias of −∞
/// bans a token.
/// Source: llama.cpp, <c>llama_sampler_init_logit_bias</c>; the OpenAI API's <c>logit_bias</c>.
/// </summary>
internal sealed class LogitBias : ISampler
{
    public static readonly SamplerEntry Entry = new(
        "logit_bias", ' ', "adds to the logits of chosen tokens", Create,
        new TextOption("--logit-bias", "logit_bias", "TOKEN(+|-)BIAS", "adds to the logit of a token, as 15043+1 or 29905-inf; may be repeated",
            () => "a token's id followed by + or - and a number or inf, as 15043+1 or 29905-inf",
            options => string.Join(' ', options.LogitBias.Select(bias => bias.Key + Signed(bias.Value))),
            Parse,
            options => options.LogitBias.All(bias => bias.Key >= 0 && bias.Value < float.PositiveInfinity))
        { IsList = true, Aliases = ["-l"] });

    private readonly int[] _tokens;
    private readonly float[] _biases;

    private LogitBias(IReadOnlyDictionary<int, float> biases)
    {
        _tokens = [.. biases.Keys.Order()];
        _biases = [.. _tokens.Select(token => biases[token])];
    }

    public void Apply(Candidates candidates)
    {
        Span<float> logits = candidates.Logits;
        for (int i = 0; i < _tokens.Length; i++)
        {
            ref float logit = ref logits[_tokens[i]];
            float sum = logit + _biases[i];
            bool isBanned = float.IsNegativeInfinity(logit) || float.IsNegativeInfinity(_biases[i]);
            logit = isBanned ? float.NegativeInfinity : Math.Clamp(sum, float.MinValue, float.MaxValue);
        }

        candidates.OrderChanged();
    }

    private static LogitBias? Create(SamplerSettings settings)
    {
        IReadOnlyDictionary<int, float> biases = settings.Options.LogitBias;
        foreach (int token in biases.Keys)
        {
            if (token >= settings.VocabularySize)
            {
                throw new ArgumentException(
                    $"--logit-bias (logit_bias) names token {token}: expected an id below the vocabulary's size, {settings.VocabularySize}");
            }
        }

        return biases.Count == 0 ? null : new LogitBias(biases);
    }

    private static string Signed(float bias) => (bias < 0 ? "" : "+") + (float.IsNegativeInfinity(bias) ? "-inf" : bias.ToString(CultureInfo.InvariantCulture));

    private static SamplingOptions? Parse(SamplingOptions options, IReadOnlyList<string> texts)
    {
        var biases = new Dictionary<int, float>();
        foreach (string text in texts)
        {
            int sign = text.AsSpan().IndexOfAny('+', '-');
            if (sign <= 0 || !int.TryParse(text.AsSpan(0, sign), NumberStyles.None, CultureInfo.InvariantCulture, out int token)) return null;
            ReadOnlySpan<char> number = text.AsSpan(sign);
            if (number is "-inf") biases[token] = float.NegativeInfinity;
            else if (float.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out float bias) && float.IsFinite(bias)) biases[token] = bias;
            else return null;
        }

        return options with { LogitBias = biases };
    }
}
