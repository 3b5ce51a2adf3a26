using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// SantaCoder and StarCoder 1:
/// <code>
/// x = embedding + position
/// x = x + attention(norm(x))        one KV head; one matrix for Q, K and V; nothing is turned; biases everywhere
/// x = x + feedForward(norm(x))      GELU, not gated
/// </code>
/// Source: Li et al. 2023, arXiv 2305.06161, section 5.2.
/// </summary>
internal sealed class StarCoder(WeightBinder weights, ModelConfig config) : BlockModel(weights, config, Style)
{
    private static readonly BlockStyle Style = new(
        new AttentionStyle(null) { QkvBias = true, OutputBias = true }, new FeedForwardStyle(Activation.Gelu, FeedForwardKind.Plain) { Bias = true })
    {
        Norm = NormStyle.Layer,
        LearnedPositions = true,
    };
}
