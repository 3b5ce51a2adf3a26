using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// OLMo 2:
/// <code>
/// x = x + norm(attention(x))        all heads of Q, and of K, are normed together, then halves are turned
/// x = x + norm(feedForward(x))      SwiGLU
/// </code>
/// Source: Team OLMo 2024, arXiv 2501.00656, section 2.2.
/// </summary>
internal sealed class Olmo2(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(new AttentionStyle(RopePairing.Halves) { Norms = QueryKeyNorm.Width }, new FeedForwardStyle(Activation.Silu))
    {
        Norms = NormPlaces.Behind,
    };
}
