using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Granite 3, dense and with experts; every factor is in the file:
/// <code>
/// x = a · embedding
/// x = x + b · attention(norm(x))        scores times c; neighbouring values are turned
/// x = x + b · feedForward(norm(x))      SwiGLU, or experts of it
/// logits = output(norm(x)) / d
/// </code>
/// Source: IBM Granite team 2024, "Granite 3.0 language models", section 2.
/// </summary>
internal sealed class Granite(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength))
{
    private static BlockStyle StyleOf(ModelConfig config) =>
        new(new AttentionStyle(RopePairing.Interleaved) { Scale = config.AttentionScale }, new FeedForwardStyle(Activation.Silu))
        {
            EmbeddingScale = config.EmbeddingScale ?? 1,
            ResidualScale = config.ResidualScale ?? 1,
            LogitScale = 1 / (config.LogitScale ?? 1),
        };
}
