using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Qwen 3, dense and with experts:
/// <code>
/// x = x + attention(norm(x))        every head of Q and K is normed, then its halves are turned
/// x = x + feedForward(norm(x))      SwiGLU, or experts of it with weights that add up to 1
/// </code>
/// Source: Qwen team 2025, arXiv 2505.09388.
/// </summary>
internal sealed class Qwen3(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style =
        new(new AttentionStyle(RopePairing.Halves) { Norms = QueryKeyNorm.Heads }, new FeedForwardStyle(Activation.Silu));
}
