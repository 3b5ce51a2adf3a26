using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// SmolLM 3:
/// <code>
/// x = x + attention(norm(x))        neighbouring values are turned, except in every fourth layer
/// x = x + feedForward(norm(x))      SwiGLU
/// </code>
/// Source: Hugging Face 2025, "SmolLM3: smol, multilingual, long-context reasoner"; Yang et al. 2025, arXiv 2501.18795 (layers without positions).
/// </summary>
internal sealed class SmolLm3(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength))
{
    private const int Period = 4;

    private static BlockStyle StyleOf(ModelConfig config) => new(
        new AttentionStyle(RopePairing.Interleaved)
        {
            Ropes = [.. Enumerable.Range(1, config.LayerCount).Select(layer => layer % Period == 0 ? AttentionStyle.NoRope : 0)],
        },
        new FeedForwardStyle(Activation.Silu));
}
