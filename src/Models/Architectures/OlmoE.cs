using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// OLMoE:
/// <code>
/// x = x + attention(norm(x))        all heads of Q, and of K, are normed together, then halves are turned
/// x = x + feedForward(norm(x))      experts of SwiGLU, whose weights stay those of the softmax
/// </code>
/// Source: Muennighoff et al. 2024, arXiv 2409.02060, section 2.
/// </summary>
internal sealed class OlmoE(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(
        new AttentionStyle(RopePairing.Halves) { Norms = QueryKeyNorm.Width }, new FeedForwardStyle(Activation.Silu) { NormaliseExperts = false });
}
