namespace Quern.Models;

/// <summary>The sizes of a time mix with states of outer products. Source: Peng et al. 2024, arXiv 2404.05892, section 4.</summary>
public sealed record TimeMixConfig
{
    /// <summary>Rows and columns of a head's state.</summary>
    public required int HeadLength { get; init; }

    /// <summary>Values that each of the five blends with the token before comes from.</summary>
    public required int BlendRank { get; init; }

    /// <summary>Values that the decay comes from.</summary>
    public required int DecayRank { get; init; }

    /// <summary>After every so many layers the residual stream is halved; 0 for never.</summary>
    public int HalveEvery { get; init; }

    internal static TimeMixConfig? Read(ConfigReader keys, int width)
    {
        if (!keys.Has("wkv.head_size")) return null;
        int head = keys.Positive("wkv.head_size");
        if (width % head != 0) throw keys.Error("wkv.head_size", $"it holds {head}; expected a divisor of {width}, the width");
        return new TimeMixConfig
        {
            HeadLength = head,
            BlendRank = keys.Positive("time_mix_extra_dim"),
            DecayRank = keys.Positive("time_decay_extra_dim"),
            HalveEvery = keys.CountOr("rescale_every_n_layers", 0),
        };
    }
}
