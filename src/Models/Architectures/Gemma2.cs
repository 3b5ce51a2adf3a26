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
internal sealed class Gemma2 : PreNormModel
{
    /// <summary>The one size (27B) whose scores are scaled by width/heads, table 1 of the paper, is known by its layers.</summary>
    private const int LayersOf27B = 46;

    private const int UsualWindow = 4096;

    public Gemma2(WeightBinder weights, ModelConfig config, int contextLength)
        : base(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength)) => EmbeddingScale = MathF.Sqrt(config.Width);

    private static PreNormStyle StyleOf(ModelConfig config)
    {
        int window = config.SlidingWindow ?? UsualWindow;
        IReadOnlyList<bool> windowed = config.WindowedLayers ?? ModelConfig.PeriodicWindows(config.LayerCount, period: 2);
        return new PreNormStyle(new AttentionStyle(RopePairing.Halves))
        {
            Activation = Activation.Gelu,
            PostNorms = true,
            Scale = config.LayerCount == LayersOf27B ? 1 / MathF.Sqrt(config.Width / config.HeadCount) : null,
            Windows = [.. windowed.Select(here => here ? window : 0)],
        };
    }
}
