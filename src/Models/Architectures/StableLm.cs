using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// StableLM 3B and StableLM 2 1.6B:
/// <code>
/// x = x + attention(norm(x))        halves of a part of each head are turned
/// x = x + feedForward(norm(x))      SwiGLU
/// </code>
/// StableLM 2 12B, known by the norm that its layers lack; every head of Q and K is normed there:
/// <code>
/// x = x + attention(n) + feedForward(n), n = norm(x)
/// </code>
/// Source: Bellagente et al. 2024, arXiv 2402.17834, section 3.1; Stability AI 2024, "Stable LM 2 12B".
/// </summary>
internal sealed class StableLm(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(weights), Rotary.Bind(weights, config, contextLength))
{
    private static BlockStyle StyleOf(WeightBinder weights)
    {
        bool sequential = weights.Has("blk.0.ffn_norm.weight"), normsHeads = weights.Has("blk.0.attn_q_norm.weight");
        AttentionStyle attention = new(RopePairing.Halves) { Norms = normsHeads ? QueryKeyNorm.EachHead : QueryKeyNorm.None };
        return new BlockStyle(attention, new FeedForwardStyle(Activation.Silu))
        {
            Norm = NormStyle.Layer,
            Parallel = !sequential,
            FeedForwardNorm = sequential ? "ffn_norm" : null,
        };
    }
}
