using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// DeepSeek 2, 2.5, 3 and R1:
/// <code>
/// x = x + attention(norm(x))        latent; neighbouring values of a part of each head are turned, stretched by YaRN
/// x = x + feedForward(norm(x))      first layers: SwiGLU; then experts of it, and some that all share; 3: scores are sigmoids, chosen with a bias
/// </code>
/// Source: DeepSeek-AI 2024, arXiv 2405.04434 and arXiv 2412.19437, section 2.1.
/// </summary>
internal sealed class DeepSeek2(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength) with { Magnitude = 1 })
{
    /// <summary>
    /// YaRN's flatter softmax is undone in the scores instead of the angles, by the square of a factor of this model's own.
    /// Source: the authors' published code, <c>yarn_get_mscale</c>.
    /// </summary>
    private static BlockStyle StyleOf(ModelConfig config)
    {
        double stretch = 1 + (config.Rope.LogMultiplier * Math.Log(config.Rope.Factor));
        int keyLength = config.Latent?.KeyLength ?? config.KeyLength;
        AttentionStyle attention = new(RopePairing.Interleaved) { Scale = (float)(stretch * stretch / Math.Sqrt(keyLength)) };
        return new BlockStyle(attention, new FeedForwardStyle(Activation.Silu) { NormaliseExperts = false });
    }
}
