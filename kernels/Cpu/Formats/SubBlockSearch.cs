using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// The search for a scale (and an offset) that represents a few values well by small integers, <c>x ≈ scale × q − offset</c>, in the
/// sense of weighted least squares. Rounding to a trial scale gives quants; for fixed quants the best scale and offset are a linear
/// regression; the pair with the least error among some trial scales wins, and is then refined by rounding and regression in turn.
/// Portable vectors without fused operations: the same file on every machine.
/// Source: the idea is that of ggml's reference quantisers (make_qx_quants, make_qkx2_quants in ggml-quants.c); the alternation is
/// Lloyd's, "Least squares quantization in PCM", 1982.
/// </summary>
internal static unsafe class SubBlockSearch
{
    /// <summary>Below this magnitude every K format's value is zero, because its binary16 scales are.</summary>
    public const float Negligible = 1e-9f;

    private const int Refinements = 4;

    /// <summary>A grid of values: <c>scale × q − offset</c> for the integers from lowest to highest.</summary>
    public readonly record struct Grid(float Scale, float Offset, int Lowest, int Highest)
    {
        /// <summary>The reciprocal of the scale, or 0, which sends every value to quant 0.</summary>
        public float Inverse => Scale == 0 ? 0 : 1 / Scale;
    }

    /// <summary>The best scale for quants of <paramref name="lowest"/>…<paramref name="highest"/> without an offset; negative where that fits better.</summary>
    /// <param name="x">[count] values.</param>
    /// <param name="weights">[count] weights, not all zero.</param>
    /// <param name="count">A multiple of 8.</param>
    /// <param name="lowest">The least quant, negative and the largest in magnitude.</param>
    /// <param name="highest">The greatest quant.</param>
    public static float Symmetric(float* x, float* weights, int count, int lowest, int highest)
    {
        float extreme = 0;
        for (int i = 0; i < count; i++)
            if (MathF.Abs(x[i]) > MathF.Abs(extreme)) extreme = x[i];
        if (MathF.Abs(extreme) < Negligible) return 0;

        double bestGain = 0;
        float best = 0;
        for (int trial = -9; trial <= 9; trial++)
        {
            // The value of largest magnitude goes to the longer side of the range, or a little before or behind its end.
            Try((lowest - (0.1f * trial)) / extreme);
        }

        for (int i = 0; i < Refinements && Try(1 / best); i++)
        {
        }

        return best;

        bool Try(float inverse)
        {
            Sums sums = Round(x, weights, count, inverse, 0, lowest, highest);
            if (sums.Qq <= 0) return false;
            double gain = sums.Xq * sums.Xq / sums.Qq;
            if (gain <= bestGain) return false;
            (bestGain, best) = (gain, (float)(sums.Xq / sums.Qq));
            return best != 0;
        }
    }

    /// <summary>The best scale and offset, neither negative, for quants of 0…<paramref name="highest"/>.</summary>
    /// <param name="x">[count] values.</param>
    /// <param name="weights">[count] weights, not all zero.</param>
    /// <param name="count">A multiple of 8.</param>
    /// <param name="highest">The greatest quant.</param>
    public static (float Scale, float Offset) Affine(float* x, float* weights, int count, int highest)
    {
        float least = 0, greatest = x[0];
        double w = 0, wx = 0;
        for (int i = 0; i < count; i++)
        {
            least = MathF.Min(least, x[i]);
            greatest = MathF.Max(greatest, x[i]);
            w += weights[i];
            wx += weights[i] * x[i];
        }

        if (greatest - least < Negligible) return (0, -least);
        float range = greatest - least;
        // What regression explains of Σ w x²; the error is the rest. A scale of zero leaves the offset alone.
        double bestGain = double.NegativeInfinity;
        (float Scale, float Offset) best = (0, -least);
        for (int trial = -10; trial <= 10; trial++) Try((highest + (0.1f * trial)) / range, -least);
        for (int i = 0; i < Refinements && best.Scale > Negligible / 64 && Try(1 / best.Scale, best.Offset); i++)
        {
        }

        return best;

        bool Try(float inverse, float offset)
        {
            Sums sums = Round(x, weights, count, inverse, offset, 0, highest);
            double determinant = (w * sums.Qq) - (sums.Q * sums.Q);
            if (determinant <= 0) return false;
            double scale = ((w * sums.Xq) - (wx * sums.Q)) / determinant;
            double shift = ((sums.Q * sums.Xq) - (sums.Qq * wx)) / determinant;
            if (shift < 0) (scale, shift) = (sums.Xq / sums.Qq, 0);
            // Σ w (x² − (x − scale q + shift)²)
            double gain = (2 * ((scale * sums.Xq) - (shift * wx))) - (scale * scale * sums.Qq) + (2 * scale * shift * sums.Q) - (shift * shift * w);
            if (scale <= 0 || gain <= bestGain) return false;
            (bestGain, best) = (gain, ((float)scale, (float)shift));
            return true;
        }
    }

    /// <summary>Σ weight × (x − nearest value of the grid)².</summary>
    public static float Error(float* x, float* weights, int count, Grid grid)
    {
        Vector256<float> error = Vector256<float>.Zero, scale = Vector256.Create(grid.Scale), offset = Vector256.Create(grid.Offset);
        Vector256<float> inverse = Vector256.Create(grid.Inverse), lowest = Vector256.Create((float)grid.Lowest), highest = Vector256.Create((float)grid.Highest);
        for (int i = 0; i < count; i += 8)
        {
            Vector256<float> value = Vector256.Load(x + i) + offset;
            Vector256<float> q = Vector256.ClampNative(Vector256.Round(value * inverse), lowest, highest);
            Vector256<float> difference = value - (scale * q);
            error += Vector256.Load(weights + i) * difference * difference;
        }

        return (float)Total(error);
    }

    /// <summary>The quants of the nearest values of the grid.</summary>
    public static void Quants(float* x, int count, Grid grid, sbyte* quants)
    {
        for (int i = 0; i < count; i++)
            quants[i] = (sbyte)Math.Clamp(MathF.Round((x[i] + grid.Offset) * grid.Inverse), grid.Lowest, grid.Highest);
    }

    // Σ w q, Σ w q², Σ w x q for the quants that a trial gives.
    private readonly record struct Sums(double Q, double Qq, double Xq);

    private static Sums Round(float* x, float* weights, int count, float inverse, float offset, int lowest, int highest)
    {
        Vector256<float> sumQ = Vector256<float>.Zero, sumQq = sumQ, sumXq = sumQ;
        Vector256<float> factor = Vector256.Create(inverse), shift = Vector256.Create(offset);
        Vector256<float> least = Vector256.Create((float)lowest), greatest = Vector256.Create((float)highest);
        for (int i = 0; i < count; i += 8)
        {
            Vector256<float> value = Vector256.Load(x + i);
            Vector256<float> q = Vector256.ClampNative(Vector256.Round((value + shift) * factor), least, greatest);
            Vector256<float> weighted = Vector256.Load(weights + i) * q;
            sumQ += weighted;
            sumQq += weighted * q;
            sumXq += weighted * value;
        }

        return new Sums(Total(sumQ), Total(sumQq), Total(sumXq));
    }

    private static double Total(Vector256<float> lanes)
    {
        Vector128<float> half = lanes.GetLower() + lanes.GetUpper();
        return (double)half[0] + half[1] + half[2] + half[3];
    }
}
