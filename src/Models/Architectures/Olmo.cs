using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// OLMo 1:
/// <code>
/// x = x + attention(norm(x))        neighbouring values are turned; Q, K and V are clamped where the file says so
/// x = x + feedForward(norm(x))      SwiGLU
/// </code>
/// Source: Groeneveld et al. 2024, arXiv 2402.00838, section 2.1.
/// </summary>
internal sealed class Olmo(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength))
{
    private static BlockStyle StyleOf(ModelConfig config) =>
        new(new AttentionStyle(RopePairing.Interleaved) { Clamp = config.QkvClamp }, new FeedForwardStyle(Activation.Silu))
        {
            Norm = NormStyle.LayerWithoutWeights,
        };
}
