using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Gemma 1 (gains in the file are 1 + the paper's):
/// <code>
/// x = √width · embedding
/// x = x + attention(norm(x))        halves are turned
/// x = x + feedForward(norm(x))      GeGLU
/// </code>
/// Source: Gemma team 2024, arXiv 2403.08295.
/// </summary>
internal sealed class Gemma(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength))
{
    private static BlockStyle StyleOf(ModelConfig config) => new(new AttentionStyle(RopePairing.Halves), new FeedForwardStyle(Activation.Gelu))
    {
        EmbeddingScale = MathF.Sqrt(config.Width),
    };
}
