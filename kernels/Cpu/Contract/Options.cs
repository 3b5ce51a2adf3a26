namespace Quern.Kernels.Cpu;

/// <summary>A function of a value, as of feed-forward networks and gates.</summary>
public enum Activation
{
    /// <summary><c>x / (1 + e^−x)</c>. Source: Elfwing et al. 2017, arXiv 1702.03118.</summary>
    Silu,

    /// <summary><c>x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))</c>. Source: Hendrycks and Gimpel 2016, arXiv 1606.08415.</summary>
    Gelu,

    /// <summary><c>max(x, 0)</c>. Source: Nair and Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".</summary>
    Relu,

    /// <summary><c>max(x, 0)²</c>. Source: So et al. 2021, arXiv 2109.08668.</summary>
    ReluSquared,

    /// <summary>
    /// <c>x / (1 + e^−αx)</c> of <c>min(x, 7)</c>, with α = 1.702; a gated unit multiplies it with <c>clamp(up, −7, 7) + 1</c>. Source: OpenAI 2025, arXiv 2508.10925, gpt-oss.
    /// </summary>
    ClampedSwish,

    /// <summary><c>1 / (1 + e^−x)</c>.</summary>
    Sigmoid,

    /// <summary><c>tanh x</c>.</summary>
    Tanh,

    /// <summary><c>ln(1 + e^x)</c>, a time step. Source: Gu and Dao 2023, arXiv 2312.00752, section 3.2.</summary>
    Softplus,

    /// <summary><c>e^(−e^x)</c>, how much of a state is left after a token. Source: Peng et al. 2024, arXiv 2404.05892, section 4.</summary>
    Decay,
}

/// <summary>Which two values of a head a rotation turns.</summary>
public enum RopePairing
{
    /// <summary>Neighbours: (0, 1), (2, 3) … as in the paper.</summary>
    Interleaved,

    /// <summary>A value and the one half the rotated part behind: (0, pairs), (1, pairs + 1) … as in GPT-NeoX.</summary>
    Halves,
}

/// <summary>A rotary encoding: the angle of pair i at position p is <c>p · Frequencies[i]</c>, cosine and sine are multiplied by <paramref name="Magnitude"/>.</summary>
/// <param name="Frequencies">[pairs] radians per position, scaling included.</param>
/// <param name="Magnitude">Factor on cosine and sine (YaRN's attention factor), 1 without.</param>
public sealed record RopeTable(float[] Frequencies, float Magnitude)
{
    /// <summary>Number of pairs turned.</summary>
    public int Pairs => Frequencies.Length;
}

/// <summary>What an attention needs to know beyond its tensors.</summary>
/// <param name="Heads">Query heads; a multiple of the layer's KV heads.</param>
/// <param name="Scale">Factor on q Kᵀ.</param>
/// <param name="SoftCap">0, or c in <c>c · tanh(s / c)</c> on the scaled scores.</param>
/// <param name="Window">0, or how many slots a query sees, its own included.</param>
public readonly record struct AttentionOptions(int Heads, float Scale, float SoftCap = 0, int Window = 0)
{
    /// <summary>
    /// Whether every query sees all slots of its sequence's prefix (<see cref="SequenceRun.Prefix"/>, at least 1) and no others, whatever slot it has; <see cref="Window"/> is 0 then.
    /// Otherwise it sees those behind the prefix, up to its own. Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.2.3.
    /// </summary>
    public bool OverPrefix { get; init; }

    /// <summary>
    /// Null, or [heads, 2 r + 1] what is added to the scaled scores of keys at distances −r to r (the key's slot − the query's). The sixteen outermost on either side are the same, and hold for all
    /// keys beyond.
    /// Source: Shaw et al. 2018, arXiv 1803.02155; Raffel et al. 2019, arXiv 1910.10683, section 2.1.
    /// </summary>
    public WeightVector? RelativeBias { get; init; }

    /// <summary>
    /// 0, or b of a linear bias: head h adds <c>−slope · (slots between query and key)</c> to its scaled scores. With n the largest power of two that is at most <see cref="Heads"/>,
    /// slope is <c>2^(−b (h + 1) / n)</c> for h below n and <c>2^(−b (2 (h − n) + 1) / (2 n))</c> for those behind. Source: Press et al. 2021, arXiv 2108.12409 (b = 8).
    /// </summary>
    public float AlibiMaxBias { get; init; }

    /// <summary>Null, or [heads] a score that takes part in the softmax and has no value. Source: Xiao et al. 2023, arXiv 2309.17453; OpenAI 2025, gpt-oss.</summary>
    public WeightVector? Sinks { get; init; }

    /// <summary>The slope of a head's linear bias; 0 without.</summary>
    public float AlibiSlope(int head)
    {
        if (AlibiMaxBias == 0) return 0;
        int n = 1 << int.Log2(Heads);
        return head < n ? MathF.Pow(2, -AlibiMaxBias * (head + 1) / n) : MathF.Pow(2, -AlibiMaxBias * ((2 * (head - n)) + 1) / (2 * n));
    }
}

/// <summary><c>Y = x Weightsᵀ + Bias</c> for some x.</summary>
/// <param name="Weights">[rows, cols].</param>
/// <param name="Bias">[rows] or null.</param>
/// <param name="Y">[n, rows].</param>
public readonly record struct Product(WeightMatrix Weights, WeightVector? Bias, Tensor Y);

/// <summary>How a router's logits become scores.</summary>
public enum RouterScore
{
    /// <summary>Softmax over all experts.</summary>
    Softmax,

    /// <summary>Each logit's sigmoid. Source: DeepSeek-AI 2024, arXiv 2412.19437, equation 15.</summary>
    Sigmoid,
}

/// <summary>How a router's logits become weights.</summary>
/// <param name="TopK">Experts for a token.</param>
/// <param name="Normalise">Whether the scores of the chosen experts are divided by their sum.</param>
/// <param name="Scale">Factor on the weights.</param>
public readonly record struct RouteOptions(int TopK, bool Normalise, float Scale = 1)
{
    /// <summary>How logits become scores.</summary>
    public RouterScore Score { get; init; }

    /// <summary>Null, or [experts] what is added to scores for choosing, not for weighing. Source: DeepSeek-AI 2024, arXiv 2412.19437, equation 16.</summary>
    public WeightVector? SelectionBias { get; init; }
}

/// <summary>
/// Which experts compute which tokens, sorted by expert: pair r is token <see cref="Tokens"/>[r] with <see cref="Weights"/>[r]; the pairs of expert e are
/// <see cref="Starts"/>[e] to <see cref="Starts"/>[e + 1].
/// </summary>
public sealed class ExpertRoutes
{
    /// <param name="maxTokens">Most tokens of a pass.</param>
    /// <param name="topK">Experts for a token.</param>
    /// <param name="experts">Number of experts.</param>
    public ExpertRoutes(int maxTokens, int topK, int experts)
    {
        Tokens = new int[maxTokens * topK];
        Weights = new float[maxTokens * topK];
        Starts = new int[experts + 1];
    }

    /// <summary>Token of each pair.</summary>
    public int[] Tokens { get; }

    /// <summary>Weight of each pair.</summary>
    public float[] Weights { get; }

    /// <summary>First pair of each expert, and the number of pairs at the end.</summary>
    public int[] Starts { get; }

    /// <summary>Number of pairs in use.</summary>
    public int PairCount => Starts[^1];
}
