using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// Phi 3.5 with experts:
/// <code>
/// x = x + attention(norm(x))        halves are turned, with LongRoPE's factors; biases everywhere in attention
/// x = x + feedForward(norm(x))      experts of SwiGLU with weights that add up to 1
/// </code>
/// Norms are those of llama.cpp, which reads this family's files as Phi 3 with biases: they do not take the mean off, as the authors' own code does.
/// Source: Microsoft 2024, arXiv 2404.14219, section 2.
/// </summary>
internal sealed class PhiMoe(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(
        new AttentionStyle(RopePairing.Halves) { QkvBias = true, OutputBias = true }, new FeedForwardStyle(Activation.Silu))
    {
        Norm = NormStyle.RmsWithBias,
        OutputBias = true,
    };
}
