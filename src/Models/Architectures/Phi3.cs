using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Phi 3, 3.5 and 4:
/// <code>
/// x = x + attention(norm(x))        one matrix for Q, K and V; halves are turned, with LongRoPE's factors; a window where the file says so
/// x = x + feedForward(norm(x))      SwiGLU, one matrix for gate and up
/// </code>
/// Source: Microsoft 2024, arXiv 2404.14219.
/// </summary>
internal sealed class Phi3(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength))
{
    /// <summary>Early files of the 4k models lack the key; the window is that of their published configuration.</summary>
    private const int WindowOf4kModels = 2047;

    private static BlockStyle StyleOf(ModelConfig config)
    {
        int window = config.SlidingWindow ?? (config.ContextLength == 4096 && config.LayerCount is 32 or 40 ? WindowOf4kModels : 0);
        AttentionStyle attention = new(RopePairing.Halves) { Windows = [.. Enumerable.Repeat(window, config.LayerCount)] };
        return new BlockStyle(attention, new FeedForwardStyle(Activation.Silu, FeedForwardKind.FusedGate));
    }
}
