using System.Numerics;
using System.Runtime.InteropServices;

namespace Quern.Engine.Sampling;

/// <summary>
/// Sums and extrema over a vocabulary of logits, in the widest portable vectors. Sums are carried in double precision; a tail shorter
/// than a vector goes through the same vector code, padded, so that equal logits get equal weights wherever they lie.
/// </summary>
internal static class Reductions
{
    /// <summary>The largest logit; −∞ for an empty span.</summary>
    public static float Max(ReadOnlySpan<float> logits)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        var max = new Vector<float>(float.NegativeInfinity);
        foreach (Vector<float> v in vectors) max = Vector.Max(max, v);
        float result = float.NegativeInfinity;
        for (int lane = 0; lane < Vector<float>.Count; lane++) result = Math.Max(result, max[lane]);
        foreach (float x in logits[(vectors.Length * Vector<float>.Count)..]) result = Math.Max(result, x);
        return result;
    }

    /// <summary>The smallest value; +∞ for an empty span.</summary>
    public static float Min(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        var min = new Vector<float>(float.PositiveInfinity);
        foreach (Vector<float> v in vectors) min = Vector.Min(min, v);
        float result = float.PositiveInfinity;
        for (int lane = 0; lane < Vector<float>.Count; lane++) result = Math.Min(result, min[lane]);
        foreach (float x in values[(vectors.Length * Vector<float>.Count)..]) result = Math.Min(result, x);
        return result;
    }

    /// <summary>Writes exp(logit − max) for each logit and returns the sum.</summary>
    public static double Exp(ReadOnlySpan<float> logits, float max, Span<float> weights)
    {
        ReadOnlySpan<Vector<float>> source = MemoryMarshal.Cast<float, Vector<float>>(logits);
        Span<Vector<float>> destination = MemoryMarshal.Cast<float, Vector<float>>(weights);
        var shift = new Vector<float>(max);
        Vector<double> sum = Vector<double>.Zero;
        for (int i = 0; i < source.Length; i++)
        {
            Vector<float> e = Vector.Exp(source[i] - shift);
            destination[i] = e;
            sum += WidenedSum(e);
        }

        int done = source.Length * Vector<float>.Count;
        if (done == logits.Length) return Vector.Sum(sum);
        Vector<float> tail = Vector.Exp(Padded(logits[done..]) - shift);
        for (int i = done; i < logits.Length; i++) weights[i] = tail[i - done];
        return Vector.Sum(sum + WidenedSum(tail));
    }

    /// <summary>log Σ exp(logit), in double precision; −∞ if every logit is −∞.</summary>
    public static double LogSumExp(ReadOnlySpan<float> logits)
    {
        float max = Max(logits);
        if (float.IsInfinity(max)) return max;
        ReadOnlySpan<Vector<float>> source = MemoryMarshal.Cast<float, Vector<float>>(logits);
        var shift = new Vector<float>(max);
        Vector<double> sum = Vector<double>.Zero;
        foreach (Vector<float> v in source) sum += WidenedSum(Vector.Exp(v - shift));
        int done = source.Length * Vector<float>.Count;
        if (done < logits.Length) sum += WidenedSum(Vector.Exp(Padded(logits[done..]) - shift));
        return max + Math.Log(Vector.Sum(sum));
    }

    /// <summary>The standard deviation (of the population) of the logits that are not −∞; 0 if there are none.</summary>
    public static double StandardDeviation(ReadOnlySpan<float> logits)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        int done = vectors.Length * Vector<float>.Count;
        Vector<float> tail = Padded(logits[done..]);
        Vector<double> sums = WidenedSum(Finite(tail));
        Vector<int> counts = -Vector.GreaterThan(tail, Excluded);
        foreach (Vector<float> v in vectors)
        {
            sums += WidenedSum(Finite(v));
            counts -= Vector.GreaterThan(v, Excluded);
        }

        int count = Vector.Sum(counts);
        if (count == 0) return 0;
        double mean = Vector.Sum(sums) / count;
        Vector<double> squares = SquaredDeviation(tail, mean);
        foreach (Vector<float> v in vectors) squares += SquaredDeviation(v, mean);
        return Math.Sqrt(Vector.Sum(squares) / count);
    }

    private static Vector<float> Excluded => new(float.NegativeInfinity);

    private static Vector<float> Finite(Vector<float> v) => Vector.ConditionalSelect(Vector.GreaterThan(v, Excluded), v, Vector<float>.Zero);

    private static Vector<double> SquaredDeviation(Vector<float> v, double mean)
    {
        Vector.Widen(Finite(v), out Vector<double> low, out Vector<double> high);
        Vector.Widen(Vector.GreaterThan(v, Excluded), out Vector<long> lowMask, out Vector<long> highMask);
        low = Vector.ConditionalSelect(lowMask, low - new Vector<double>(mean), Vector<double>.Zero);
        high = Vector.ConditionalSelect(highMask, high - new Vector<double>(mean), Vector<double>.Zero);
        return low * low + high * high;
    }

    private static Vector<double> WidenedSum(Vector<float> v)
    {
        Vector.Widen(v, out Vector<double> low, out Vector<double> high);
        return low + high;
    }

    private static Vector<float> Padded(ReadOnlySpan<float> tail)
    {
        Span<float> padded = stackalloc float[Vector<float>.Count];
        padded.Fill(float.NegativeInfinity);
        tail.CopyTo(padded);
        return new Vector<float>(padded);
    }
}
