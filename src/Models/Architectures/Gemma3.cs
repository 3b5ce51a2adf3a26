using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Gemma 3, the text model:
/// <code>
/// x = √width · embedding
/// x = x + norm(attention(norm(x)))      heads of Q and K are normed; 5 of 6 layers see a window and are turned by a base of their own
/// x = x + norm(feedForward(norm(x)))    GeGLU
/// </code>
/// Source: Gemma team 2025, arXiv 2503.19786.
/// </summary>
internal sealed class Gemma3(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength), LocalRope(config))
{
    /// <summary>The one size (27B) whose scores are scaled by width/heads is known by its layers.</summary>
    private const int LayersOf27B = 62;

    private const float UsualLocalBase = 10000;

    private static RopeTable LocalRope(ModelConfig config) =>
        Rotary.Plain(config.Rope.Dimensions, config.Rope.LocalBase != 0 ? config.Rope.LocalBase : UsualLocalBase);

    private static BlockStyle StyleOf(ModelConfig config)
    {
        int window = config.SlidingWindow ?? 0;
        IReadOnlyList<bool> windowed = window == 0
            ? new bool[config.LayerCount]
            : config.WindowedLayers ?? ModelConfig.PeriodicWindows(config.LayerCount, period: 6);
        AttentionStyle attention = new(RopePairing.Halves)
        {
            Norms = QueryKeyNorm.Heads,
            Scale = config.LayerCount == LayersOf27B ? 1 / MathF.Sqrt(config.Width / config.HeadCount) : null,
            Windows = [.. windowed.Select(here => here ? window : 0)],
            Ropes = [.. windowed.Select(here => here ? 1 : 0)],
        };
        return new BlockStyle(attention, new FeedForwardStyle(Activation.Gelu)) { EmbeddingScale = MathF.Sqrt(config.Width), Norms = NormPlaces.BothSides };
    }
}
