using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// StarCoder 2:
/// <code>
/// x = x + attention(norm(x))        halves are turned; biases everywhere
/// x = x + feedForward(norm(x))      GELU, not gated
/// </code>
/// Source: Lozhkov et al. 2024, arXiv 2402.19173, section 5.
/// </summary>
internal sealed class StarCoder2(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(
        new AttentionStyle(RopePairing.Halves) { QkvBias = true, OutputBias = true }, new FeedForwardStyle(Activation.Gelu, FeedForwardKind.Plain) { Bias = true })
    {
        Norm = NormStyle.Layer,
    };
}
