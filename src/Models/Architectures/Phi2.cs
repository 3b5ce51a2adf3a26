using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Phi 1, 1.5 and 2:
/// <code>
/// x = x + attention(n) + feedForward(n), n = norm(x)      halves of a part of each head are turned; GELU, not gated; biases everywhere
/// </code>
/// Source: Li et al. 2023, arXiv 2309.05463, section 2.1.
/// </summary>
internal sealed class Phi2(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(
        new AttentionStyle(RopePairing.Halves) { QkvBias = true, OutputBias = true }, new FeedForwardStyle(Activation.Gelu, FeedForwardKind.Plain) { Bias = true })
    {
        Norm = NormStyle.Layer,
        Parallel = true,
        FeedForwardNorm = null,
        OutputBias = true,
    };
}
