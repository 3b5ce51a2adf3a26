using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// The search for a scale (and an offset) that represents a few values well by the codes of a range, <c>x ≈ scale × code − offset</c>, in
/// the sense of weighted least squares. Rounding to a trial scale gives codes; for fixed codes the best scale and offset are a linear
/// regression; the pair with the least error among some trial scales wins, and is then refined by rounding and regression in turn.
/// Unlike <see cref="ScaleSearch"/>, whose scale is stored as it is, the result is a wish: the super-block decides what can be stored.
/// Portable vectors without fused operations, added up in a fixed order: the same file on every machine.
/// Source: the idea is that of ggml's reference quantisers (make_qx_quants, make_qkx2_quants in ggml-quants.c); the alternation is
/// Lloyd's, "Least squares quantization in PCM", 1982.
/// </summary>
internal static unsafe class SubBlockSearch
{
    // Below this magnitude every value is stored as zero, because the formats' scales are binary16.
    private const float Negligible = 1e-9f;
    private const int Refinements = 4;

    /// <summary>The best scale without an offset; negative where that fits better.</summary>
    /// <param name="x">[count] values.</param>
    /// <param name="weights">[count] weights, not all zero.</param>
    /// <param name="count">A multiple of 8.</param>
    public static float Symmetric<T>(float* x, float* weights, int count)
        where T : struct, ICodeRange
    {
        float extreme = 0;
        for (int i = 0; i < count; i++)
            if (MathF.Abs(x[i]) > MathF.Abs(extreme)) extreme = x[i];
        if (MathF.Abs(extreme) < Negligible) return 0;

        double bestGain = 0;
        float best = 0;
        // The value of largest magnitude goes to the longer side of the range, or a little before or behind its end.
        for (int trial = -9; trial <= 9; trial++) Try((T.Lowest - (T.StepSize * trial)) / extreme);
        int refinements = 0;
        while (refinements < Refinements && best != 0 && Try(1 / best)) refinements++;
        return best;

        bool Try(float inverse)
        {
            Sums sums = Round<T>(x, weights, count, inverse, 0);
            if (sums.Cc <= 0) return false;
            double gain = sums.Xc * sums.Xc / sums.Cc;
            if (gain <= bestGain) return false;
            (bestGain, best) = (gain, (float)(sums.Xc / sums.Cc));
            return true;
        }
    }

    /// <summary>The best scale and offset, neither negative, for codes from 0.</summary>
    /// <param name="x">[count] values.</param>
    /// <param name="weights">[count] weights, not all zero.</param>
    /// <param name="count">A multiple of 8.</param>
    public static (float Scale, float Offset) Affine<T>(float* x, float* weights, int count)
        where T : struct, ICodeRange
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

        float range = greatest - least;
        if (range < Negligible) return (0, -least);
        double bestGain = double.NegativeInfinity;
        (float Scale, float Offset) best = (0, -least);
        for (int trial = -10; trial <= 10; trial++) Try((T.Highest + (T.StepSize * trial)) / range, -least);
        int refinements = 0;
        while (refinements < Refinements && best.Scale > 0 && Try(1 / best.Scale, best.Offset)) refinements++;
        return best;

        bool Try(float inverse, float offset)
        {
            Sums sums = Round<T>(x, weights, count, inverse, offset);
            double determinant = (w * sums.Cc) - (sums.C * sums.C);
            if (determinant <= 0) return false;
            double scale = ((w * sums.Xc) - (wx * sums.C)) / determinant;
            double shift = ((sums.C * sums.Xc) - (sums.Cc * wx)) / determinant;
            if (shift < 0) (scale, shift) = (sums.Xc / sums.Cc, 0);
            // What is explained of Σ w x²; the rest is Σ w (x − scale c + shift)².
            double gain = (2 * ((scale * sums.Xc) - (shift * wx))) - (scale * scale * sums.Cc) + (2 * scale * shift * sums.C) - (shift * shift * w);
            if (scale < Negligible / 1024 || gain <= bestGain) return false;
            (bestGain, best) = (gain, ((float)scale, (float)shift));
            return true;
        }
    }

    /// <summary>Σ weight × (x − nearest representable value)².</summary>
    public static float Error<T>(float* x, float* weights, int count, float scale, float offset)
        where T : struct, ICodeRange
    {
        Vector256<float> error = Vector256<float>.Zero, factor = Vector256.Create(scale), shift = Vector256.Create(offset);
        Vector256<float> inverse = Vector256.Create(Inverse(scale));
        for (int i = 0; i < count; i += 8)
        {
            Vector256<float> value = Vector256.Load(x + i) + shift;
            Vector256<float> difference = value - (factor * T.Nearest(value * inverse));
            error += Vector256.Load(weights + i) * difference * difference;
        }

        return (float)Total(error);
    }

    /// <summary>The codes of the nearest representable values.</summary>
    public static void Codes<T>(float* x, int count, float scale, float offset, sbyte* codes)
        where T : struct, ICodeRange
    {
        Vector256<float> inverse = Vector256.Create(Inverse(scale)), shift = Vector256.Create(offset);
        for (int i = 0; i < count; i += 8)
        {
            Vector256<float> code = T.Nearest((Vector256.Load(x + i) + shift) * inverse);
            for (int j = 0; j < 8; j++) codes[i + j] = (sbyte)code[j];
        }
    }

    // A scale of zero sends every value to the code nearest to zero.
    private static float Inverse(float scale) => scale == 0 ? 0 : 1 / scale;

    // Σ w c, Σ w c², Σ w x c for the codes that a trial gives.
    private readonly record struct Sums(double C, double Cc, double Xc);

    private static Sums Round<T>(float* x, float* weights, int count, float inverse, float offset)
        where T : struct, ICodeRange
    {
        Vector256<float> sumC = Vector256<float>.Zero, sumCc = sumC, sumXc = sumC;
        Vector256<float> factor = Vector256.Create(inverse), shift = Vector256.Create(offset);
        for (int i = 0; i < count; i += 8)
        {
            Vector256<float> value = Vector256.Load(x + i);
            Vector256<float> code = T.Nearest((value + shift) * factor);
            Vector256<float> weighted = Vector256.Load(weights + i) * code;
            sumC += weighted;
            sumCc += weighted * code;
            sumXc += weighted * value;
        }

        return new Sums(Total(sumC), Total(sumCc), Total(sumXc));
    }

    private static double Total(Vector256<float> lanes)
    {
        Vector128<float> half = lanes.GetLower() + lanes.GetUpper();
        return (double)half[0] + half[1] + half[2] + half[3];
    }
}
