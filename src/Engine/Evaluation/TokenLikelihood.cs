using System.Numerics;
using System.Runtime.InteropServices;
using Quern.Engine.Sampling;

namespace Quern.Engine.Evaluation;

/// <summary>−log softmax(x)ₜ = log Σⱼ exp(xⱼ − m) + (m − xₜ), m the largest logit: everything behind the subtraction in double precision.</summary>
internal static class TokenLikelihood
{
    /// <summary>The negative log-likelihood of a token, in nats; NaN if a logit is NaN or +∞, or all are −∞.</summary>
    /// <param name="logits">[vocabulary] The logits of one position.</param>
    /// <param name="token">An index into the logits.</param>
    public static double Negative(ReadOnlySpan<float> logits, int token)
    {
        double max = Reductions.Max(logits);
        var shift = new Vector<double>(max);
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        Vector<double> sums = Vector<double>.Zero;
        foreach (Vector<float> v in vectors)
        {
            Vector.Widen(v, out Vector<double> low, out Vector<double> high);
            sums += Vector.Exp(low - shift) + Vector.Exp(high - shift);
        }

        double sum = Vector.Sum(sums);
        foreach (float x in logits[(vectors.Length * Vector<float>.Count)..]) sum += Math.Exp(x - max);
        return Math.Log(sum) + (max - logits[token]);
    }
}
