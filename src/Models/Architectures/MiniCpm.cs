using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// MiniCPM 1 and 2; factors that the file lacks are those of the paper:
/// <code>
/// x = 12 · embedding
/// x = x + 1.4/√layers · attention(norm(x))        neighbouring values are turned
/// x = x + 1.4/√layers · feedForward(norm(x))      SwiGLU
/// logits = output(norm(x)) / (width/256)
/// </code>
/// Source: Hu et al. 2024, arXiv 2404.06395, sections 3 and 5, and its published configuration.
/// </summary>
internal sealed class MiniCpm(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength))
{
    private static BlockStyle StyleOf(ModelConfig config) => new(new AttentionStyle(RopePairing.Interleaved), new FeedForwardStyle(Activation.Silu))
    {
        EmbeddingScale = config.EmbeddingScale ?? 12,
        ResidualScale = config.ResidualScale ?? 1.4f / MathF.Sqrt(config.LayerCount),
        LogitScale = 1 / (config.LogitScale ?? config.Width / 256f),
    };
}
