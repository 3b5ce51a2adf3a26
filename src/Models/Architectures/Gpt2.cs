using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// GPT-2:
/// <code>
/// x = embedding + position
/// x = x + attention(norm(x))        one matrix for Q, K and V; nothing is turned; biases everywhere
/// x = x + feedForward(norm(x))      GELU, not gated
/// </code>
/// Source: Radford et al. 2019, "Language models are unsupervised multitask learners", section 2.3.
/// </summary>
internal sealed class Gpt2(WeightBinder weights, ModelConfig config) : BlockModel(weights, config, Style)
{
    private static readonly BlockStyle Style = new(
        new AttentionStyle(null) { QkvBias = true, OutputBias = true }, new FeedForwardStyle(Activation.Gelu, FeedForwardKind.Plain) { Bias = true })
    {
        Norm = NormStyle.Layer,
        LearnedPositions = true,
    };
}
