using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// ChatGLM 2 and 3, GLM 4 (9B):
/// <code>
/// x = x + attention(norm(x))        one matrix for Q, K and V, with a bias; neighbouring values of half of each head are turned
/// x = x + feedForward(norm(x))      SwiGLU, one matrix for gate and hidden layer
/// </code>
/// Source: Team GLM 2024, arXiv 2406.12793, section 2.
/// </summary>
internal sealed class ChatGlm(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(
        new AttentionStyle(RopePairing.Interleaved) { QkvBias = true }, new FeedForwardStyle(Activation.Silu, FeedForwardKind.FusedGate));
}
