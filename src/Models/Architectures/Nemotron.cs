using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Nemotron 4, Minitron:
/// <code>
/// x = x + attention(norm(x))        halves of a part of each head are turned
/// x = x + feedForward(norm(x))      squared ReLU, not gated
/// </code>
/// Source: NVIDIA 2024, arXiv 2402.16819, section 2.
/// </summary>
internal sealed class Nemotron(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(
        new AttentionStyle(RopePairing.Halves), new FeedForwardStyle(Activation.ReluSquared, FeedForwardKind.Plain))
    {
        Norm = NormStyle.Layer,
    };
}
