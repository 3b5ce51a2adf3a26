using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Refact:
/// <code>
/// x = x + attention(norm(x))        one KV head; a linear bias instead of positions
/// x = x + feedForward(norm(x))      SwiGLU
/// </code>
/// Source: Small Magellanic Cloud AI 2023, "Applying all recent innovations to train a code model" (Refact-1.6B).
/// </summary>
internal sealed class Refact(WeightBinder weights, ModelConfig config) : BlockModel(weights, config, Style)
{
    private static readonly BlockStyle Style = new(new AttentionStyle(null) { AlibiMaxBias = 8 }, new FeedForwardStyle(Activation.Silu));
}
