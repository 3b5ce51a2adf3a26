namespace Quern.Models;

/// <summary>How a rotary encoding is stretched beyond the length it was trained for.</summary>
public enum RopeScaling
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Positions are divided by a factor. Source: Chen et al. 2023, arXiv 2306.15595.</summary>
    Linear,

    /// <summary>Slow pairs are divided, fast pairs kept. Source: Peng et al. 2023, arXiv 2309.00071.</summary>
    Yarn,

    /// <summary>A divisor for each pair, one set for short contexts and one for long ones. Source: Ding et al. 2024, arXiv 2402.13753.</summary>
    LongRope,
}

/// <summary>The facts of a model's rotary encoding. Source: Su et al. 2021, arXiv 2104.09864.</summary>
public sealed record RopeConfig
{
    /// <summary>Values of a head that are turned.</summary>
    public required int Dimensions { get; init; }

    /// <summary>b in the frequency <c>b^(−2i/d)</c> of pair i.</summary>
    public required float Base { get; init; }

    /// <summary>The same for layers with a sliding window, or 0 where the file does not say it.</summary>
    public float LocalBase { get; init; }

    /// <summary>How the encoding is stretched.</summary>
    public RopeScaling Scaling { get; init; }

    /// <summary>By how much frequencies are divided, 1 without and for <see cref="RopeScaling.LongRope"/>, whose divisors are tensors.</summary>
    public float Factor { get; init; } = 1;

    /// <summary>Tokens of the context before it was stretched.</summary>
    public required int OriginalContextLength { get; init; }

    /// <summary>Factor on cosines and sines that the file gives, or 0 where it gives none.</summary>
    public float AttentionFactor { get; init; }

    /// <summary>YaRN: how much of the way fast pairs are kept, 1 for all.</summary>
    public float ExtensionFactor { get; init; } = 1;

    /// <summary>YaRN's β: pairs that turn more often than this in the original context are kept.</summary>
    public float BetaFast { get; init; } = 32;

    /// <summary>YaRN's α: pairs that turn less often than this in the original context are divided.</summary>
    public float BetaSlow { get; init; } = 1;

    /// <summary>YaRN: by how much attention's factor grows with the logarithm of <see cref="Factor"/>, in models that have one of their own; 0 without.</summary>
    public float LogMultiplier { get; init; }

    internal static RopeConfig Read(ConfigReader keys, int keyLength, int contextLength)
    {
        int dimensions = keys.PositiveOr("rope.dimension_count", keyLength);
        if (dimensions > keyLength || dimensions % 2 != 0)
            throw keys.Error("rope.dimension_count", $"it holds {dimensions}; expected an even number of at most {keyLength}, the length of a head");
        float factor = keys.NumberOr("rope.scaling.factor", keys.NumberOr("rope.scale_linear", 0));
        RopeScaling scaling = Scale(keys, factor);
        float frequencyBase = keys.NumberOr("rope.freq_base", 10000);
        if (frequencyBase <= 1) throw keys.Error("rope.freq_base", $"it holds {frequencyBase}; expected more than 1");
        return new RopeConfig
        {
            Dimensions = dimensions,
            Base = frequencyBase,
            LocalBase = keys.NumberOr("rope.freq_base_swa", 0),
            Scaling = scaling,
            Factor = scaling is RopeScaling.Linear or RopeScaling.Yarn && factor != 0 ? factor : 1,
            OriginalContextLength = keys.PositiveOr("rope.scaling.original_context_length", contextLength),
            AttentionFactor = keys.NumberOr("rope.scaling.attn_factor", keys.NumberOr("rope.scaling.yarn_attn_factor", 0)),
            ExtensionFactor = keys.NumberOr("rope.scaling.yarn_ext_factor", 1),
            BetaFast = keys.NumberOr("rope.scaling.yarn_beta_fast", 32),
            LogMultiplier = keys.NumberOr("rope.scaling.yarn_log_multiplier", 0),
            BetaSlow = keys.NumberOr("rope.scaling.yarn_beta_slow", 1),
        };
    }

    private static RopeScaling Scale(ConfigReader keys, float factor) => keys.Metadata.GetStringOr(keys.Key("rope.scaling.type"), null) switch
    {
        null => factor == 0 ? RopeScaling.None : RopeScaling.Linear,
        "none" => RopeScaling.None,
        "linear" => RopeScaling.Linear,
        "yarn" => RopeScaling.Yarn,
        "longrope" => RopeScaling.LongRope,
        string other => throw keys.Error("rope.scaling.type", $"'{other}' is not known; expected none, linear, yarn or longrope"),
    };
}
