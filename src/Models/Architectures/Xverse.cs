using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// XVERSE 7B, 13B and 65B:
/// <code>
/// x = x + attention(norm(x))        neighbouring values are turned
/// x = x + feedForward(norm(x))      SwiGLU
/// </code>
/// Source: Shenzhen Yuanxiang 2023, "XVERSE-13B", model card.
/// </summary>
internal sealed class Xverse(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(new AttentionStyle(RopePairing.Interleaved), new FeedForwardStyle(Activation.Silu));
}
