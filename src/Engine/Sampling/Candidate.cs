namespace Quern.Engine.Sampling;

/// <summary>One token that survived a <see cref="SamplerChain"/>, with its probability among the survivors.</summary>
/// <param name="Token">The token's id in the vocabulary.</param>
/// <param name="Probability">Its probability, in [0, 1]; the probabilities of a distribution add up to 1 within float rounding.</param>
public readonly record struct Candidate(int Token, float Probability)
{
    /// <summary>
    /// Draws from a distribution by inverting its cumulative sum, which is taken in double precision in the order of the span.
    /// </summary>
    /// <param name="distribution">Candidates with at least one positive probability; the sum need not be exactly 1.</param>
    /// <param name="uniform">A number in [0, 1).</param>
    /// <returns>An index into <paramref name="distribution"/>; never that of a candidate with probability 0.</returns>
    /// <exception cref="ArgumentException">No candidate has a positive probability.</exception>
    public static int Draw(ReadOnlySpan<Candidate> distribution, double uniform)
    {
        double total = 0;
        foreach (Candidate candidate in distribution) total += candidate.Probability;
        double target = uniform * total;
        double sum = 0;
        int last = -1;
        for (int i = 0; i < distribution.Length; i++)
        {
            float probability = distribution[i].Probability;
            if (probability <= 0) continue;
            sum += probability;
            last = i;
            if (sum > target) return i;
        }

        // Reached with a candidate only where rounding made the target equal to the whole sum.
        return last >= 0 ? last : throw new ArgumentException("no candidate has a positive probability", nameof(distribution));
    }
}
