using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Qwen 1.5 and 2 with experts:
/// <code>
/// x = x + attention(norm(x))        halves are turned; Q, K and V have biases
/// x = x + feedForward(norm(x))      experts of SwiGLU, whose weights stay those of the softmax, and one that all share, times the sigmoid of its gate
/// </code>
/// Source: Qwen team 2024, arXiv 2407.10671, section 2.2.2.
/// </summary>
internal sealed class Qwen2Moe(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(
        new AttentionStyle(RopePairing.Halves) { QkvBias = true }, new FeedForwardStyle(Activation.Silu) { NormaliseExperts = false, SharedGate = true });
}
