namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>How many last tokens the penalties look at; 0 none, −1 the whole context.</summary>
    public int RepeatLastN { get; init; } = 64;

    /// <summary>Divides the positive logits, and multiplies the negative ones, of tokens seen; 1 is off.</summary>
    public float RepeatPenalty { get; init; } = 1;

    /// <summary>Subtracted from the logit of a token once for each time it was seen.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Subtracted from the logit of a token that was seen.</summary>
    public float PresencePenalty { get; init; }
}

/// <summary>
/// For a token seen c &gt; 0 times in the last n: logit ← (logit &gt; 0 ? logit / r : logit · r) − c·frequency − presence.
/// Source: Keskar et al., "CTRL" (arXiv:1909.05858, section 4.1) for r, multiplied where the logit is negative as llama.cpp does; the
/// OpenAI API for the others.
/// </summary>
internal sealed class Penalties : ISampler
{
    public static readonly SamplerEntry Entry = new(
        "penalties", 'e', "makes tokens seen recently less likely", Create,
        new NumberOption("--repeat-last-n", "repeat_last_n", "N",
            "last tokens that the penalties look at; 0 is off, -1 the whole context", OptionRange.AtLeast(-1),
            options => options.RepeatLastN, (options, value) => options with { RepeatLastN = (int)value })
        { IsInteger = true },
        new NumberOption("--repeat-penalty", "repeat_penalty", "R", "divides the logits of tokens seen; 1 is off", OptionRange.MoreThan(0),
            options => options.RepeatPenalty, (options, value) => options with { RepeatPenalty = (float)value }),
        new NumberOption("--frequency-penalty", "frequency_penalty", "F",
            "subtracted from a token's logit each time it was seen; 0 is off", OptionRange.Finite,
            options => options.FrequencyPenalty, (options, value) => options with { FrequencyPenalty = (float)value }),
        new NumberOption("--presence-penalty", "presence_penalty", "F",
            "subtracted from the logit of a token that was seen; 0 is off", OptionRange.Finite,
            options => options.PresencePenalty, (options, value) => options with { PresencePenalty = (float)value }));

    private readonly double _repeat;
    private readonly double _frequency;
    private readonly double _presence;
    private readonly TokenHistory _history;
    private readonly Dictionary<int, int> _counts;

    private Penalties(SamplingOptions options, int window)
    {
        (_repeat, _frequency, _presence) = (options.RepeatPenalty, options.FrequencyPenalty, options.PresencePenalty);
        _history = new TokenHistory(window);
        _counts = new Dictionary<int, int>(window + 1);
    }

    public void Apply(Candidates candidates)
    {
        Span<float> logits = candidates.Logits;
        if (candidates.IsWhole)
        {
            foreach ((int token, int count) in _counts) logits[token] = Penalise(logits[token], count);
        }
        else
        {
            for (int i = 0; i < logits.Length; i++)
            {
                if (_counts.TryGetValue(candidates.TokenAt(i), out int count)) logits[i] = Penalise(logits[i], count);
            }
        }

        candidates.OrderChanged();
    }

    public void Accept(int token)
    {
        _counts[token] = _counts.GetValueOrDefault(token) + 1;
        int left = _history.Add(token);
        if (left >= 0 && --_counts[left] == 0) _counts.Remove(left);
    }

    public void Reset()
    {
        _history.Clear();
        _counts.Clear();
    }

    public void CopyStateFrom(ISampler source)
    {
        var other = (Penalties)source;
        _history.CopyFrom(other._history);
        _counts.Clear();
        foreach ((int token, int count) in other._counts) _counts.Add(token, count);
    }

    // A penalty makes a token unlikely and never impossible: a result beyond the range of a float stays at its end.
    private float Penalise(float logit, int count)
    {
        if (float.IsNegativeInfinity(logit)) return logit;
        double scaled = logit > 0 ? logit / _repeat : logit * _repeat;
        return (float)Math.Clamp(scaled - count * _frequency - _presence, float.MinValue, float.MaxValue);
    }

    private static Penalties? Create(SamplerSettings settings)
    {
        SamplingOptions options = settings.Options;
        int window = settings.Window(options.RepeatLastN);
        bool neutral = options is { RepeatPenalty: 1, FrequencyPenalty: 0, PresencePenalty: 0 };
        return neutral || window == 0 ? null : new Penalties(options, window);
    }
}
