using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Command R:
/// <code>
/// x = x + attention(n) + feedForward(n), n = norm(x)      neighbouring values are turned; SwiGLU
/// logits = s · output(norm(x))
/// </code>
/// Source: Cohere 2024, "Command R", model card; its published configuration.
/// </summary>
internal sealed class CommandR(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(weights, config), Rotary.Bind(weights, config, contextLength))
{
    private static BlockStyle StyleOf(WeightBinder weights, ModelConfig config) => new(
        new AttentionStyle(RopePairing.Interleaved)
        {
            // Command R+ alone has them.
            Norms = weights.Has("blk.0.attn_q_norm.weight") ? QueryKeyNorm.EachHead : QueryKeyNorm.None,
        },
        new FeedForwardStyle(Activation.Silu))
    {
        Norm = NormStyle.LayerWithoutBias,
        Parallel = true,
        FeedForwardNorm = null,
        LogitScale = config.LogitScale ?? 1,
    };
}
