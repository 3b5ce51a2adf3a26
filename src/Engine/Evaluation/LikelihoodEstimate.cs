namespace Quern.Engine.Evaluation;

/// <summary>
/// How well tokens were predicted: the mean of their negative log-likelihoods in nats, and how far it can be trusted. A mean and the squared
/// deviations from it are kept instead of sums, so that nothing cancels; estimates of different tokens join into one of all. The value
/// <c>default</c> is that of no tokens.
/// Source: Chan, Golub and LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances".
/// </summary>
public readonly record struct LikelihoodEstimate
{
    private readonly double _mean;
    private readonly double _squaredDeviations;

    private LikelihoodEstimate(long tokens, double mean, double squaredDeviations, long bytes) =>
        (Tokens, _mean, _squaredDeviations, Bytes) = (tokens, mean, squaredDeviations, bytes);

    /// <summary>Tokens that were predicted.</summary>
    public long Tokens { get; }

    /// <summary>Bytes of text that they stand for.</summary>
    public long Bytes { get; }

    /// <summary>Mean of −log p(token | tokens before it), in nats; NaN for no tokens.</summary>
    public double Mean => Tokens == 0 ? double.NaN : _mean;

    /// <summary>Standard error of <see cref="Mean"/>: the standard deviation of the sample (n − 1) over √n; NaN for fewer than two tokens.</summary>
    public double StandardError => Tokens < 2 ? double.NaN : Math.Sqrt(_squaredDeviations / (Tokens - 1.0) / Tokens);

    /// <summary>exp of <see cref="Mean"/>; NaN for no tokens.</summary>
    public double Perplexity => Math.Exp(Mean);

    /// <summary>Standard error of <see cref="Perplexity"/> to first order, as llama.cpp reports it: <c>Perplexity · StandardError</c>.</summary>
    public double PerplexityStandardError => Perplexity * StandardError;

    /// <summary>Bits that a coder with these predictions needs for a byte of the text, which is comparable between tokenizers; NaN for no bytes.</summary>
    public double BitsPerByte => Bytes == 0 ? double.NaN : _mean * Tokens / Math.Log(2) / Bytes;

    /// <summary>The estimate with one token more.</summary>
    /// <param name="negativeLogLikelihood">−log p(token), in nats.</param>
    /// <param name="bytes">Bytes that the token stands for.</param>
    public LikelihoodEstimate With(double negativeLogLikelihood, long bytes) => And(new LikelihoodEstimate(1, negativeLogLikelihood, 0, bytes));

    /// <summary>The estimate of these tokens and those of <paramref name="other"/>.</summary>
    public LikelihoodEstimate And(LikelihoodEstimate other)
    {
        if (Tokens == 0) return other;
        if (other.Tokens == 0) return this;
        long tokens = Tokens + other.Tokens;
        double delta = other._mean - _mean;
        double share = (double)other.Tokens / tokens;
        return new LikelihoodEstimate(
            tokens, _mean + (delta * share), _squaredDeviations + other._squaredDeviations + (delta * delta * Tokens * share), Bytes + other.Bytes);
    }
}
