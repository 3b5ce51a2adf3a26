using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// BERT, RoBERTa and what was trained from them: MiniLM, BGE, E5, GTE, Arctic Embed 1, cross-encoders:
/// <code>
/// x = norm(embedding + segment + position)
/// x = norm(x + attention(x))        every token sees all others; biases everywhere
/// x = norm(x + feedForward(x))      GELU, not gated
/// </code>
/// Source: Devlin et al. 2018, arXiv 1810.04805, section 3.
/// </summary>
internal sealed class Bert(WeightBinder weights, ModelConfig config) : EncoderModel(weights, config, Style)
{
    private static readonly EncoderStyle Style = new(
        new AttentionStyle(null) { QkvBias = true, OutputBias = true }, new FeedForwardStyle(Activation.Gelu, FeedForwardKind.Plain) { Bias = true })
    {
        LearnedPositions = true,
    };
}
