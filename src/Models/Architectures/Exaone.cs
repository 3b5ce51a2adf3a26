using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// EXAONE 3 and 3.5:
/// <code>
/// x = x + attention(norm(x))        halves are turned, slowed by Llama 3's factors
/// x = x + feedForward(norm(x))      SwiGLU
/// </code>
/// Source: LG AI Research 2024, arXiv 2408.03541, section 2.1.
/// </summary>
internal sealed class Exaone(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(new AttentionStyle(RopePairing.Halves), new FeedForwardStyle(Activation.Silu));
}
