using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// InternLM 2:
/// <code>
/// x = x + attention(norm(x))        neighbouring values are turned
/// x = x + feedForward(norm(x))      SwiGLU
/// </code>
/// Source: Cai et al. 2024, arXiv 2403.17297, section 2.2.
/// </summary>
internal sealed class InternLm2(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(new AttentionStyle(RopePairing.Interleaved), new FeedForwardStyle(Activation.Silu));
}
