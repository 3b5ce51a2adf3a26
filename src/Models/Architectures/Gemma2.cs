using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Gemma 2:
/// <code>
/// x = √width · embedding
/// x = x + norm(attention(norm(x)))      scores capped; every second layer, from the first, sees a window
/// x = x + norm(feedForward(norm(x)))    GeGLU
/// logits capped
/// </code>
/// Source: Gemma team 2024, arXiv 2408.00118.
/// </summary>
internal sealed class Gemma2(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength))
{
    /// <summary>The one size (27B) whose scores are scaled by width/heads, table 1 of the paper, is known by its layers.</summary>
    private const int LayersOf27B = 46;

    private const int UsualWindow = 4096;

    private static BlockStyle StyleOf(ModelConfig config)
    {
        int window = config.SlidingWindow ?? UsualWindow;
        IReadOnlyList<bool> windowed = config.WindowedLayers ?? ModelConfig.PeriodicWindows(config.LayerCount, period: 2);
        AttentionStyle attention = new(RopePairing.Halves)
        {
            Scale = config.LayerCount == LayersOf27B ? 1 / MathF.Sqrt(config.Width / config.HeadCount) : null,
            Windows = [.. windowed.Select(here => here ? window : 0)],
        };
        return new BlockStyle(attention, new FeedForwardStyle(Activation.Gelu)) { EmbeddingScale = MathF.Sqrt(config.Width), Norms = NormPlaces.BothSides };
    }
}
