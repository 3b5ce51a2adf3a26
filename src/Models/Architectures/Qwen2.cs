using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Qwen 2 and 2.5:
/// <code>
/// x = x + attention(norm(x))        halves are turned; Q, K and V have biases
/// x = x + feedForward(norm(x))      SwiGLU
/// </code>
/// Source: Qwen team 2024, arXiv 2407.10671.
/// </summary>
internal sealed class Qwen2(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(new AttentionStyle(RopePairing.Halves) { QkvBias = true }, new FeedForwardStyle(Activation.Silu));
}
