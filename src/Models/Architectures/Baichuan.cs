using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Baichuan 1 and 2, 7B and 13B:
/// <code>
/// x = x + attention(norm(x))        7B: neighbouring values are turned; 13B: a linear bias instead
/// x = x + feedForward(norm(x))      SwiGLU
/// </code>
/// Source: Yang et al. 2023, arXiv 2309.10305, section 2.3.
/// </summary>
internal sealed class Baichuan(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, config.LayerCount == LayersOf13B ? StyleOf13B : StyleOf7B, Rotary.Bind(weights, config, contextLength))
{
    /// <summary>Nothing else in a file tells the two sizes apart.</summary>
    private const int LayersOf13B = 40;

    private static readonly BlockStyle StyleOf7B = new(new AttentionStyle(RopePairing.Interleaved), new FeedForwardStyle(Activation.Silu));

    private static readonly BlockStyle StyleOf13B = new(new AttentionStyle(null) { AlibiMaxBias = 8 }, new FeedForwardStyle(Activation.Silu));
}
