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
internal sealed class Gemma : PreNormModel
{
    private static readonly PreNormStyle Style = new(new AttentionStyle(RopePairing.Halves)) { Activation = Activation.Gelu };

    public Gemma(WeightBinder weights, ModelConfig config, int contextLength)
        : base(weights, config, Style, Rotary.Bind(weights, config, contextLength)) => EmbeddingScale = MathF.Sqrt(config.Width);
}
