using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// BLOOM:
/// <code>
/// x = norm(embedding)
/// x = x + attention(norm(x))        one matrix for Q, K and V; a linear bias instead of positions; biases everywhere
/// x = x + feedForward(norm(x))      GELU, not gated
/// </code>
/// Source: BigScience 2022, arXiv 2211.05100, section 3.2.
/// </summary>
internal sealed class Bloom(WeightBinder weights, ModelConfig config) : BlockModel(weights, config, Style)
{
    private static readonly BlockStyle Style = new(
        new AttentionStyle(null) { QkvBias = true, OutputBias = true, AlibiMaxBias = 8 }, new FeedForwardStyle(Activation.Gelu, FeedForwardKind.Plain) { Bias = true })
    {
        Norm = NormStyle.Layer,
        EmbeddingNorm = true,
    };
}
