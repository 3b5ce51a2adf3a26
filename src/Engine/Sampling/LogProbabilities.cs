using System.Numerics;

namespace Quern.Engine.Sampling;

/// <summary>A token with the logarithm of its probability under the whole vocabulary.</summary>
/// <param name="Token">The token's id.</param>
/// <param name="LogProbability">log softmax, in nats; −∞ for a token that cannot occur.</param>
public readonly record struct TokenLogProbability(int Token, float LogProbability);

/// <summary>
/// Log-probabilities from raw logits, before any sampler: what the OpenAI API reports as <c>logprobs</c>. Allocates nothing.
/// </summary>
/// <remarks>log softmax(x)ᵢ = xᵢ − log Σⱼ exp xⱼ, the sum in double precision.</remarks>
public static class LogProbabilities
{
    /// <summary>The log-probability of one token.</summary>
    /// <param name="logits">The logits of one position, <c>[vocabulary]</c>.</param>
    /// <param name="token">An index into the logits.</param>
    public static float Of(ReadOnlySpan<float> logits, int token) => (float)(logits[token] - Reductions.LogSumExp(logits));

    /// <summary>The most likely tokens, in order; the lower id first where two are equal.</summary>
    /// <param name="logits">The logits of one position, <c>[vocabulary]</c>.</param>
    /// <param name="destination">Receives as many as there is room for: meant for the few tens that servers report.</param>
    /// <returns>How many were written: the smaller of both lengths.</returns>
    public static int Top(ReadOnlySpan<float> logits, Span<TokenLogProbability> destination)
    {
        double logSum = Reductions.LogSumExp(logits);
        if (destination.IsEmpty) return 0;
        int count = 0;
        for (int token = 0; token < logits.Length; token++)
        {
            // Whole vectors without a logit that gets a place are passed over.
            if (count == destination.Length)
            {
                var least = new Vector<float>(destination[^1].LogProbability);
                while (token + Vector<float>.Count <= logits.Length && Vector.LessThanOrEqualAll(new Vector<float>(logits[token..]), least))
                {
                    token += Vector<float>.Count;
                }

                if (token == logits.Length) break;
            }

            Place(token, logits[token], destination, ref count);
        }

        // Logits until here: their differences decide the order, and rounding could make two of them equal.
        for (int i = 0; i < count; i++) destination[i] = destination[i] with { LogProbability = (float)(destination[i].LogProbability - logSum) };
        return count;
    }

    /// <summary>The same for a token and the most likely ones, where the largest logits are known.</summary>
    /// <param name="largest">At least as many as are written.</param>
    /// <param name="token">One of them.</param>
    /// <param name="destination">Receives the token, then the most likely ones in order.</param>
    internal static void Top(LargestLogits largest, int token, Span<TokenLogProbability> destination)
    {
        double logSum = largest.LogSumExp;
        for (int i = 0; i < largest.Count; i++)
        {
            TokenLogProbability likely = new(largest.TokenAt(i), (float)(largest.Logits[i] - logSum));
            if (i + 1 < destination.Length) destination[i + 1] = likely;
            if (likely.Token == token) destination[0] = likely;
        }
    }

    private static void Place(int token, float logit, Span<TokenLogProbability> destination, ref int count)
    {
        if (count == destination.Length && !(logit > destination[^1].LogProbability)) return;
        int place = count < destination.Length ? count++ : count - 1;
        for (; place > 0 && logit > destination[place - 1].LogProbability; place--) destination[place] = destination[place - 1];
        destination[place] = new TokenLogProbability(token, logit);
    }
}
