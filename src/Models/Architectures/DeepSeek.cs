using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// DeepSeek MoE (version 1):
/// <code>
/// x = x + attention(norm(x))        neighbouring values are turned
/// x = x + feedForward(norm(x))      first layers: SwiGLU; then experts of it, whose weights stay those of the softmax, and some that all share
/// </code>
/// Source: Dai et al. 2024, arXiv 2401.06066, section 3.
/// </summary>
internal sealed class DeepSeek(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style =
        new(new AttentionStyle(RopePairing.Interleaved), new FeedForwardStyle(Activation.Silu) { NormaliseExperts = false });
}
