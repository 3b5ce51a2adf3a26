using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// MPT:
/// <code>
/// x = embedding (+ position)        learned positions where the file has them
/// x = x + attention(norm(x))        one matrix for Q, K and V, clamped; a linear bias
/// x = x + feedForward(norm(x))      GELU, not gated
/// </code>
/// Source: MosaicML NLP team 2023, "Introducing MPT-7B: a new standard for open-source, commercially usable LLMs".
/// </summary>
internal sealed class Mpt(WeightBinder weights, ModelConfig config) : BlockModel(weights, config, StyleOf(weights, config))
{
    private static BlockStyle StyleOf(WeightBinder weights, ModelConfig config) => new(
        new AttentionStyle(null) { AlibiMaxBias = config.AlibiMaxBias, Clamp = config.QkvClamp }, new FeedForwardStyle(Activation.Gelu, FeedForwardKind.Plain))
    {
        Norm = weights.Has("output_norm.bias") ? NormStyle.Layer : NormStyle.LayerWithoutBias,
        LearnedPositions = weights.Has("position_embd.weight"),
    };
}
