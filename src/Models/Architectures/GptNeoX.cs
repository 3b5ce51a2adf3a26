using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// GPT-NeoX, Pythia and others of that form; branches follow each other where the file says so:
/// <code>
/// x = x + attention(norm(x)) + feedForward(norm(x))      halves of a part of each head are turned; GELU, not gated; biases everywhere
/// </code>
/// Source: Black et al. 2022, arXiv 2204.06745.
/// </summary>
internal sealed class GptNeoX(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, StyleOf(config), Rotary.Bind(weights, config, contextLength))
{
    private static BlockStyle StyleOf(ModelConfig config) => new(
        new AttentionStyle(RopePairing.Halves) { QkvBias = true, OutputBias = true }, new FeedForwardStyle(Activation.Gelu, FeedForwardKind.Plain) { Bias = true })
    {
        Norm = NormStyle.Layer,
        Parallel = config.ParallelResidual ?? true,
    };
}
