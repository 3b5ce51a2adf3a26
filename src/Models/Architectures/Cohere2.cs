using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Command R7B, Command A:
/// <code>
/// x = x + attention(n) + feedForward(n), n = norm(x)      SwiGLU; 3 of 4 layers see a window and turn neighbouring values, the others see all and turn nothing
/// logits = s · output(norm(x))
/// </code>
/// Source: Team Cohere 2025, arXiv 2504.00698, section 2.
/// </summary>
internal sealed class Cohere2(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength))
{
    private const int Period = 4, UsualWindow = 4096;

    private static BlockStyle StyleOf(ModelConfig config)
    {
        int window = config.SlidingWindow ?? UsualWindow;
        IReadOnlyList<bool> windowed = config.WindowedLayers ?? ModelConfig.PeriodicWindows(config.LayerCount, Period);
        AttentionStyle attention = new(RopePairing.Interleaved)
        {
            Windows = [.. windowed.Select(here => here ? window : 0)],
            Ropes = [.. windowed.Select(here => here ? 0 : AttentionStyle.NoRope)],
        };
        return new BlockStyle(attention, new FeedForwardStyle(Activation.Silu))
        {
            Norm = NormStyle.LayerWithoutBias,
            Parallel = true,
            FeedForwardNorm = null,
            LogitScale = config.LogitScale ?? 1,
        };
    }
}
