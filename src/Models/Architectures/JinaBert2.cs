using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Jina Embeddings 2:
/// <code>
/// x = norm(embedding + segment)
/// x = norm(x + attention(x))        a linear bias to both sides instead of positions; biases of Q, K, V and behind
/// x = norm(x + feedForward(x))      gated GELU; gate and hidden layer may lie in one matrix
/// </code>
/// Source: Günther et al. 2023, arXiv 2310.19923, section 3.1.
/// </summary>
internal sealed class JinaBert2(WeightBinder weights, ModelConfig config) : EncoderModel(weights, config, StyleOf(weights))
{
    private const float UsualMaxBias = 8;

    private static EncoderStyle StyleOf(WeightBinder weights) => new(
        new AttentionStyle(null) { QkvBias = true, OutputBias = true, AlibiMaxBias = UsualMaxBias },
        new FeedForwardStyle(Activation.Gelu, weights.Has("blk.0.ffn_gate.weight") ? FeedForwardKind.Gated : FeedForwardKind.FusedGate));
}
