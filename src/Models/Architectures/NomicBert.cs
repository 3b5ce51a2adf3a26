using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Nomic Embed 1 and 1.5:
/// <code>
/// x = norm(embedding + segment)
/// x = norm(x + attention(x))        one matrix for Q, K and V; halves of each head are turned; every token sees all others
/// x = norm(x + feedForward(x))      SwiGLU
/// </code>
/// Source: Nussbaum et al. 2024, arXiv 2402.01613, section 3.1.
/// </summary>
internal sealed class NomicBert(WeightBinder weights, ModelConfig config, int contextLength)
    : EncoderModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly EncoderStyle Style = new(new AttentionStyle(RopePairing.Halves), new FeedForwardStyle(Activation.Silu));
}
