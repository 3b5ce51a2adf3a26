using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Falcon 7B, and 40B and 180B, which have a second norm in every layer:
/// <code>
/// x = x + attention(norm(x)) + feedForward(norm(x))      halves are turned; GELU, not gated
/// </code>
/// Source: Almazrouei et al. 2023, arXiv 2311.16867, section 3.4.
/// </summary>
internal sealed class Falcon(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(weights.Has("blk.0.attn_norm_2.weight")), Rotary.Bind(weights, config, contextLength))
{
    private static BlockStyle StyleOf(bool hasTwoNorms) =>
        new(new AttentionStyle(RopePairing.Halves), new FeedForwardStyle(Activation.Gelu, FeedForwardKind.Plain))
        {
            Norm = NormStyle.Layer,
            Parallel = true,
            AttentionNorm = hasTwoNorms ? "attn_norm_2" : "attn_norm",
            FeedForwardNorm = hasTwoNorms ? "attn_norm" : null,
        };
}
