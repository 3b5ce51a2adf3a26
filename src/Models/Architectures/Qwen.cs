using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Qwen 1:
/// <code>
/// x = x + attention(norm(x))        one matrix for Q, K and V, with a bias; halves are turned
/// x = x + feedForward(norm(x))      SwiGLU; files give the width of gate and hidden layer together
/// </code>
/// Source: Bai et al. 2023, arXiv 2309.16609, section 2.3.
/// </summary>
internal sealed class Qwen(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config with { FeedForwardLength = config.FeedForwardLength / 2 }, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(new AttentionStyle(RopePairing.Halves) { QkvBias = true }, new FeedForwardStyle(Activation.Silu));
}
