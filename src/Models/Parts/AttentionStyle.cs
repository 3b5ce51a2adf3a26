using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>What is normed in queries and keys before they are turned. Source: Henry et al. 2020, arXiv 2010.04245.</summary>
internal enum QueryKeyNorm
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Every head, by its root mean square; heads share a gain.</summary>
    Heads,

    /// <summary>Every head, by mean and variance; each has a gain of its own.</summary>
    EachHead,

    /// <summary>All heads together, by their root mean square.</summary>
    Width,
}

/// <summary>What an architecture says about its attention, beyond the sizes in <see cref="ModelConfig"/>.</summary>
/// <param name="Pairing">Which values a rotation turns together; null where nothing is turned.</param>
internal sealed record AttentionStyle(RopePairing? Pairing)
{
    /// <summary>In <see cref="Ropes"/>: the layer's queries and keys are not turned. Source: Kazemnejad et al. 2023, arXiv 2305.19466.</summary>
    public const int NoRope = -1;

    /// <summary>What the names of its tensors begin with.</summary>
    public string Name { get; init; } = "attn";

    /// <summary>The name of the matrix after attention.</summary>
    public string OutputName { get; init; } = "output";

    /// <summary>Whether the file must have biases of Q, K and V; where it need not, they are used if they are there.</summary>
    public bool QkvBias { get; init; }

    /// <summary>The same for the matrix after attention.</summary>
    public bool OutputBias { get; init; }

    /// <summary>What is normed in queries and keys.</summary>
    public QueryKeyNorm Norms { get; init; }

    /// <summary>Largest magnitude of a query's, key's or value's number; 0 for any. Source: MosaicML 2023, MPT; arXiv 2402.00838, section 2.</summary>
    public float Clamp { get; init; }

    /// <summary>Whether every head has a sink: a score without a value.</summary>
    public bool Sinks { get; init; }

    /// <summary>Biases by distance, [heads, 2 r + 1]: see <see cref="AttentionOptions.RelativeBias"/>; null without.</summary>
    public WeightVector? RelativeBias { get; init; }

    /// <summary>b of <see cref="AttentionOptions.AlibiMaxBias"/>; 0 without.</summary>
    public float AlibiMaxBias { get; init; }

    /// <summary>Factor on scores; <c>1/√(key length)</c> where null.</summary>
    public float? Scale { get; init; }

    /// <summary>The window of each layer, 0 for none; none anywhere where null.</summary>
    public int[]? Windows { get; init; }

    /// <summary>Whether every token sees the whole text, not only what is before it: see <see cref="AttentionOptions.OverPrefix"/>.</summary>
    public bool SeesAll { get; init; }

    /// <summary>The cache's layer, where keys and values are looked at only in the pass that stores them, so that all layers may share one; a layer's own where null.</summary>
    public int? CacheLayer { get; init; }

    /// <summary>Which rope table each layer uses, or <see cref="NoRope"/>; the first everywhere where null.</summary>
    public int[]? Ropes { get; init; }

    /// <summary>What a layer's attention operation is told.</summary>
    public AttentionOptions Options(ModelConfig config, int layer, WeightVector? sinks) =>
        new(config.HeadCount, Scale ?? (float)(1 / Math.Sqrt(config.KeyLength)), config.AttentionSoftCap, Windows?[layer] ?? 0)
        {
            OverPrefix = SeesAll || config.IsCausal == false,
            AlibiMaxBias = AlibiMaxBias,
            RelativeBias = RelativeBias,
            Sinks = sinks,
        };
}
