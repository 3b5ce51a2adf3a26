using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.Numerics;

/// <summary>Elementary functions on vectors of binary32.</summary>
internal static class VectorMath
{
    /// <summary>
    /// <c>e^x</c>, relative error below 2e-7: <c>x = n ln 2 + r</c>, <c>|r| ≤ ln 2 / 2</c>, a polynomial of degree 6 in r, and n in the exponent. Below −87.3 the result
    /// is 0, above 88.7 it is infinite; NaN stays NaN. Source: W. J. Cody and W. Waite, "Software manual for the elementary functions", 1980, for the two-part ln 2;
    /// the polynomial is Taylor's.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        if (Isa.HasAvx512)
        {
            // Scaling by 2^n takes care of both ends, and n = −288 or 288 stands for everything beyond; a NaN comes through the polynomial.
            Vector512<float> bounded = Avx512F.Min(Vector512.Create(200f), Avx512F.Max(Vector512.Create(-200f), x));
            Vector512<float> power = Avx512F.RoundScale(bounded * Vector512.Create(1.44269504f), 0);
            return Avx512F.Scale(Reduced(bounded, power), power);
        }

        Vector512<float> clamped = Vector512.MinNative(Vector512.MaxNative(x, Vector512.Create(-88f)), Vector512.Create(89f));
        Vector512<float> n = Vector512.Round(clamped * Vector512.Create(1.44269504f));

        // 2^n in two factors, so that n = 128 does not overflow before the product does.
        Vector512<int> whole = Vector512.ConvertToInt32(n), half = whole >> 1;
        Vector512<float> scale = ((half + Vector512.Create(127)) << 23).AsSingle();
        Vector512<float> rest = ((whole - half + Vector512.Create(127)) << 23).AsSingle();
        Vector512<float> result = Reduced(clamped, n) * scale * rest;
        result = Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-87.33f)), Vector512<float>.Zero, result);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x), result, x);
    }

    /// <summary>The largest lane.</summary>
    public static float Largest(Vector512<float> values)
    {
        Vector256<float> half = Vector256.Max(values.GetLower(), values.GetUpper());
        Vector128<float> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        return Math.Max(Math.Max(quarter.GetElement(0), quarter.GetElement(1)), Math.Max(quarter.GetElement(2), quarter.GetElement(3)));
    }

    // e^(x − n ln 2)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Reduced(Vector512<float> x, Vector512<float> n)
    {
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693359375f), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(2.12194440e-4f), r);
        Vector512<float> p = Vector512.Create(1f / 720);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 120));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 24));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 6));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.5f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f));
        return Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f));
    }

    /// <summary><c>1 / (1 + e^−x)</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sigmoid(Vector512<float> x) => Vector512<float>.One / (Vector512<float>.One + Exp(-x));

    /// <summary><c>tanh x = 2 sigmoid(2x) − 1</c>, absolute error below 2e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Tanh(Vector512<float> x) =>
        Vector512.FusedMultiplyAdd(Vector512.Create(2f), Sigmoid(x + x), Vector512.Create(-1f));
}
