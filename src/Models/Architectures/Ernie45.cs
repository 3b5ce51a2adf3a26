using Quern.Kernels.Cpu;
using Quern.Models.Parts;

namespace Quern.Models.Architectures;

/// <summary>
/// ERNIE 4.5, dense:
/// <code>
/// x = x + attention(norm(x))        neighbouring values are turned
/// x = x + feedForward(norm(x))      SwiGLU
/// </code>
/// Source: Baidu ERNIE team 2025, "ERNIE 4.5 technical report".
/// </summary>
internal sealed class Ernie45(WeightBinder weights, ModelConfig config, int contextLength)
    : BlockModel(weights, config, Style, Rotary.Bind(weights, config, contextLength))
{
    private static readonly BlockStyle Style = new(new AttentionStyle(RopePairing.Interleaved), new FeedForwardStyle(Activation.Silu));
}
