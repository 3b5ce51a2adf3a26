using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>The codes that a format of 32 values with one scale can give a value: <c>w = scale × code</c>.</summary>
internal interface ICodeRange
{
    /// <summary>The most negative code.</summary>
    static abstract float Lowest { get; }

    /// <summary>The most positive code.</summary>
    static abstract float Highest { get; }

    /// <summary>How far apart the ends of the range are that a search tries, in codes.</summary>
    static virtual float StepSize => 0.1f;

    /// <summary>The code nearest to each lane.</summary>
    static abstract Vector256<float> Nearest(Vector256<float> values);
}

/// <summary>All whole numbers from −8 to 7.</summary>
internal readonly struct Signed4 : ICodeRange
{
    public static float Lowest => -8;

    public static float Highest => 7;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Round(values, Lowest, Highest);
}

/// <summary>All whole numbers from −16 to 15.</summary>
internal readonly struct Signed5 : ICodeRange
{
    public static float Lowest => -16;

    public static float Highest => 15;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Round(values, Lowest, Highest);
}

/// <summary>All whole numbers from −127 to 127.</summary>
internal readonly struct Signed8 : ICodeRange
{
    public static float Lowest => -127;

    public static float Highest => 127;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Round(values, Lowest, Highest);
}

/// <summary>
/// Finds the binary16 scale of 32 values and their codes. The plain way maps the value of largest magnitude to the end of the range; the
/// search assigns codes by scales around it, refits each by weighted least squares (for fixed codes the best scale is Σwxc / Σwc²),
/// alternates assigning and refitting for the best of them, and keeps what gives the smallest Σw(x − d·c)² with the scale as it will be
/// stored. It starts from the plain way, so it is never worse.
/// Lanes are added up in the same order on every machine, so files are the same everywhere.
/// Source: the plain way is ggml's quantize_row_q4_0_ref, q5_0 and q8_0; the search is least squares (Lloyd, "Least squares quantization
/// in PCM", 1982) with several starting points.
/// </summary>
internal static unsafe class ScaleSearch
{
    private const int Length = 32, Steps = 9, Polishings = 2;

    /// <summary>The plain way where <paramref name="importance"/> is null, else the search; returns the bits of the scale.</summary>
    public static ushort Quantize<T>(float* values, float* importance, sbyte* codes)
        where T : struct, ICodeRange
    {
        ushort plain = Plain<T>(Peak(values), values, codes);
        return importance == null ? plain : Search<T>(values, importance, plain, codes);
    }

    /// <summary>The first of the values with the largest magnitude.</summary>
    public static float Peak(float* values)
    {
        float peak = 0, largest = 0;
        for (int i = 0; i < Length; i++)
        {
            float magnitude = MathF.Abs(values[i]);
            if (magnitude <= largest) continue;
            largest = magnitude;
            peak = values[i];
        }

        return peak;
    }

    /// <summary>The bits of the nearest binary16, saturated: a scale is never infinite.</summary>
    public static ushort ToBits(float scale) => Float16.FromSingle(Math.Clamp(scale, -65504f, 65504f));

    /// <summary>Improves on the scale and the codes given; returns the bits of the better scale.</summary>
    public static ushort Search<T>(float* values, float* importance, ushort scaleBits, sbyte* codes)
        where T : struct, ICodeRange
    {
        float peak = Peak(values);
        if (MathF.Abs(peak) < 1e-30f) return scaleBits;
        float* best = stackalloc float[Length];
        for (int i = 0; i < Length; i++) best[i] = codes[i];
        float* trial = stackalloc float[Length];
        float bestError = Error(values, importance, Float16.ToSingle(scaleBits), best);
        for (int end = 0; end < 2; end++)
        {
            Fitted fitted = default;
            for (int step = -Steps; step <= Steps; step++)
            {
                Fitted candidate = Fit<T>(values, importance, ((end == 0 ? T.Lowest : T.Highest) + (T.StepSize * step)) / peak);
                if (candidate.Gain > fitted.Gain) fitted = candidate;
            }

            for (int pass = 0; pass < Polishings; pass++)
            {
                ushort bits = ToBits(fitted.Scale);
                float scale = Float16.ToSingle(bits);
                if (scale == 0) break;
                Assign<T>(values, 1 / scale, trial);
                float error = Error(values, importance, scale, trial);
                if (error < bestError)
                {
                    bestError = error;
                    scaleBits = bits;
                    float* freed = best;
                    best = trial;
                    trial = freed;
                }

                fitted = Fit<T>(values, importance, 1 / scale);
            }
        }

        for (int i = 0; i < Length; i++) codes[i] = (sbyte)best[i];
        return scaleBits;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> Round(Vector256<float> values, float lowest, float highest) =>
        Vector256.Min(Vector256.Max(Vector256.Round(values), Vector256.Create(lowest)), Vector256.Create(highest));

    // A range with one code more below zero than above maps the peak to its lowest code, whatever the peak's sign, and rounds halves up;
    // a symmetric one rounds them away from zero.
    private static ushort Plain<T>(float peak, float* values, sbyte* codes)
        where T : struct, ICodeRange
    {
        bool isSymmetric = T.Lowest == -T.Highest;
        float scale = Math.Clamp(isSymmetric ? MathF.Abs(peak) / T.Highest : peak / T.Lowest, -65504f, 65504f);
        float inverse = MathF.Abs(scale) < 1e-37f ? 0 : 1 / scale;
        for (int i = 0; i < Length; i++)
        {
            float scaled = values[i] * inverse;
            float code = isSymmetric ? MathF.Round(scaled, MidpointRounding.AwayFromZero) : MathF.Floor(scaled + (0.5f - T.Lowest)) + T.Lowest;
            codes[i] = (sbyte)Math.Clamp(code, T.Lowest, T.Highest);
        }

        return Float16.FromSingle(scale);
    }

    // For fixed codes the best scale takes (Σwxc)² / Σwc² off the error Σwx²: its gain.
    private static Fitted Fit<T>(float* values, float* importance, float inverse)
        where T : struct, ICodeRange
    {
        Vector256<float> products = Vector256<float>.Zero, squares = Vector256<float>.Zero;
        for (int i = 0; i < Length; i += 8)
        {
            Vector256<float> x = Vector256.Load(values + i), w = Vector256.Load(importance + i);
            Vector256<float> c = T.Nearest(x * Vector256.Create(inverse));
            products += w * x * c;
            squares += w * c * c;
        }

        float weight = Sum(squares), product = Sum(products);
        return weight > 0 ? new Fitted(product / weight, product * (product / weight)) : default;
    }

    private static void Assign<T>(float* values, float inverse, float* codes)
        where T : struct, ICodeRange
    {
        for (int i = 0; i < Length; i += 8) T.Nearest(Vector256.Load(values + i) * Vector256.Create(inverse)).Store(codes + i);
    }

    private static float Error(float* values, float* importance, float scale, float* codes)
    {
        Vector256<float> sum = Vector256<float>.Zero;
        for (int i = 0; i < Length; i += 8)
        {
            Vector256<float> difference = Vector256.Load(values + i) - (Vector256.Create(scale) * Vector256.Load(codes + i));
            sum += Vector256.Load(importance + i) * difference * difference;
        }

        return Sum(sum);
    }

    // In a fixed order, because Vector256.Sum does not promise one.
    internal static float Sum(Vector256<float> lanes)
    {
        Vector128<float> four = lanes.GetLower() + lanes.GetUpper();
        return four[0] + four[1] + (four[2] + four[3]);
    }

    private readonly record struct Fitted(float Scale, float Gain);
}
