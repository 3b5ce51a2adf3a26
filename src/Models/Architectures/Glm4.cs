using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// GLM 4 0414, GLM Z1:
/// <code>
/// x = x + norm(attention(norm(x)))        neighbouring values of half of each head are turned
/// x = x + norm(feedForward(norm(x)))      SwiGLU, one matrix for gate and hidden layer
/// </code>
/// Source: Team GLM 2024, arXiv 2406.12793; Z.ai 2025, "GLM-4-0414", model card.
/// </summary>
internal sealed class Glm4(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style =
        new(new AttentionStyle(RopePairing.Interleaved), new FeedForwardStyle(Activation.Silu, FeedForwardKind.FusedGate)) { Norms = NormPlaces.BothSides };
}
