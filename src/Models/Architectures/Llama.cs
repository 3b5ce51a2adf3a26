using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Llama 1 to 3, Mistral, Mixtral and the many models of that form:
/// <code>
/// x = x + attention(norm(x))        neighbouring values are turned; biases, rope factors and scaling where the file has them
/// x = x + feedForward(norm(x))      SwiGLU, or experts of it
/// </code>
/// Source: Touvron et al. 2023, arXiv 2302.13971; Llama team 2024, arXiv 2407.21783; Jiang et al. 2024, arXiv 2401.04088.
/// </summary>
internal sealed class Llama(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(new AttentionStyle(RopePairing.Interleaved), new FeedForwardStyle(Activation.Silu));
}
