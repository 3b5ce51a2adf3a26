using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// gpt-oss:
/// <code>
/// x = x + attention(norm(x))        halves are turned, stretched by YaRN; every head has a sink; every second layer, from the first, sees a window
/// x = x + feedForward(norm(x))      experts of a clamped SwiGLU, with weights that add up to 1; biases everywhere
/// </code>
/// Source: OpenAI 2025, arXiv 2508.10925, section 2.
/// </summary>
internal sealed class GptOss(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength))
{
    private const int UsualWindow = 128;

    private static BlockStyle StyleOf(ModelConfig config)
    {
        int window = config.SlidingWindow ?? UsualWindow;
        IReadOnlyList<bool> windowed = config.WindowedLayers ?? ModelConfig.PeriodicWindows(config.LayerCount, period: 2);
        AttentionStyle attention = new(RopePairing.Halves)
        {
            QkvBias = true,
            OutputBias = true,
            Sinks = true,
            Windows = [.. windowed.Select(here => here ? window : 0)],
        };
        return new BlockStyle(attention, new FeedForwardStyle(Activation.ClampedSwish) { Bias = true }) { FeedForwardNorm = "post_attention_norm" };
    }
}
