using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Orion 14B:
/// <code>
/// x = x + attention(norm(x))        halves are turned
/// x = x + feedForward(norm(x))      SwiGLU
/// </code>
/// Source: Chen et al. 2024, arXiv 2401.12246, section 3.1.
/// </summary>
internal sealed class Orion(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(new AttentionStyle(RopePairing.Halves), new FeedForwardStyle(Activation.Silu))
    {
        Norm = NormStyle.Layer,
    };
}
