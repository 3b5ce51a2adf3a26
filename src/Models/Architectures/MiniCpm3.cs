using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// MiniCPM 3:
/// <code>
/// x = 12 · embedding
/// x = x + 1.4/√layers · attention(norm(x))        latent; halves of a part of each head are turned, with LongRoPE's factors
/// x = x + 1.4/√layers · feedForward(norm(x))      SwiGLU
/// logits = output(norm(x)) / (width/256)
/// </code>
/// Source: Hu et al. 2024, arXiv 2404.06395; OpenBMB 2024, "MiniCPM3-4B", published configuration.
/// </summary>
internal sealed class MiniCpm3(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength))
{
    private static BlockStyle StyleOf(ModelConfig config) => new(new AttentionStyle(RopePairing.Halves), new FeedForwardStyle(Activation.Silu))
    {
        EmbeddingScale = 12,
        ResidualScale = 1.4f / MathF.Sqrt(config.LayerCount),
        LogitScale = 256f / config.Width,
    };
}
