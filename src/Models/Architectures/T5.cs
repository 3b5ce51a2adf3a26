using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// T5, T5 1.1, Flan-T5, mT5, MADLAD. The encoder, every token seeing the whole text:
/// <code>
/// x = x + attention(norm(x))        scores are not scaled, and get a learned bias by distance
/// x = x + feedForward(norm(x))      ReLU, not gated; 1.1: gated GELU
/// m = norm(x)
/// </code>
/// The decoder:
/// <code>
/// x = x + attention(norm(x))        the same, a token seeing those before it
/// x = x + attention(norm(x), m)     without a bias
/// x = x + feedForward(norm(x))
/// </code>
/// Norms by root mean square; no biases. Source: Raffel et al. 2019, arXiv 1910.10683, section 2.1; Shazeer 2020, arXiv 2002.05202 (1.1).
/// </summary>
internal sealed class T5(WeightBinder weights, ModelConfig config) : EncoderDecoderModel(weights, config, StyleOf(weights))
{
    private static EncoderDecoderStyle StyleOf(WeightBinder weights) => new(
        new AttentionStyle(null) { Scale = 1, OutputName = "o" },
        weights.Has("enc.blk.0.ffn_gate.weight") ? new FeedForwardStyle(Activation.Gelu) : new FeedForwardStyle(Activation.Relu, FeedForwardKind.Plain));
}
