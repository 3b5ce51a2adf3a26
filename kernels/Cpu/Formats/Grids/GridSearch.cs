using System.Numerics;
using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Formats.Grids;

/// <summary>
/// The nearest grid point for many scales at once. For values x with weights w and a point g, the squared error at scale s is
/// <c>Σ w x² + s × (s × B − A)</c> with <c>A = 2 Σ w x g</c> and <c>B = Σ w g²</c>: both are computed once for all points of the grid, after which
/// a scale costs three operations a point. Lanes are points and nothing is fused, so every tier finds the same point.
/// </summary>
internal static unsafe class GridSearch
{
    /// <summary>Fills A and B for all points of a grid.</summary>
    /// <param name="shape">The grid.</param>
    /// <param name="values">[dimension] x.</param>
    /// <param name="weights">[dimension] w.</param>
    /// <param name="a">[count] A.</param>
    /// <param name="b">[count] B.</param>
    /// <param name="flipped">Null, or [count]: A when the sign of one value, the one that costs least at that point, is changed.</param>
    public static void Correlate(GridShape shape, float* values, float* weights, float* a, float* b, float* flipped)
    {
        int count = shape.Count, dimension = shape.Dimension;
        float* coordinates = shape.Coordinates;
        float* doubled = stackalloc float[dimension];
        for (int j = 0; j < dimension; j++) doubled[j] = 2 * weights[j] * values[j];
        if (!Isa.HasAvx2)
        {
            for (int i = 0; i < count; i++)
            {
                float sumA = 0, sumB = 0, least = float.MaxValue;
                for (int j = 0; j < dimension; j++)
                {
                    float g = coordinates[(j * count) + i], product = doubled[j] * g;
                    sumA += product;
                    sumB += weights[j] * g * g;
                    if (product < least) least = product;
                }

                a[i] = sumA;
                b[i] = sumB;
                if (flipped != null) flipped[i] = sumA - (2 * least);
            }

            return;
        }

        for (int i = 0; i < count; i += 8)
        {
            Vector256<float> sumA = Vector256<float>.Zero, sumB = sumA, least = Vector256.Create(float.MaxValue);
            for (int j = 0; j < dimension; j++)
            {
                Vector256<float> g = Vector256.LoadAligned(coordinates + (j * count) + i), product = Vector256.Create(doubled[j]) * g;
                sumA += product;
                sumB += Vector256.Create(weights[j]) * g * g;
                least = Vector256.MinNative(least, product);
            }

            sumA.Store(a + i);
            sumB.Store(b + i);
            if (flipped != null) (sumA - (least + least)).Store(flipped + i);
        }
    }

    /// <summary>The least <c>s × B − A</c> over the points, for four scales.</summary>
    public static Vector128<float> Lowest(float* a, float* b, int count, Vector128<float> scales)
    {
        float s0 = scales[0], s1 = scales[1], s2 = scales[2], s3 = scales[3];
        if (!Isa.HasAvx2)
        {
            float l0 = float.MaxValue, l1 = l0, l2 = l0, l3 = l0;
            for (int i = 0; i < count; i++)
            {
                float sumA = a[i], sumB = b[i], v0 = (s0 * sumB) - sumA, v1 = (s1 * sumB) - sumA, v2 = (s2 * sumB) - sumA, v3 = (s3 * sumB) - sumA;
                l0 = v0 < l0 ? v0 : l0;
                l1 = v1 < l1 ? v1 : l1;
                l2 = v2 < l2 ? v2 : l2;
                l3 = v3 < l3 ? v3 : l3;
            }

            return Vector128.Create(l0, l1, l2, l3);
        }

        Vector256<float> lowest0 = Vector256.Create(float.MaxValue), lowest1 = lowest0, lowest2 = lowest0, lowest3 = lowest0;
        for (int i = 0; i < count; i += 8)
        {
            Vector256<float> sumA = Vector256.Load(a + i), sumB = Vector256.Load(b + i);
            lowest0 = Vector256.MinNative(lowest0, (Vector256.Create(s0) * sumB) - sumA);
            lowest1 = Vector256.MinNative(lowest1, (Vector256.Create(s1) * sumB) - sumA);
            lowest2 = Vector256.MinNative(lowest2, (Vector256.Create(s2) * sumB) - sumA);
            lowest3 = Vector256.MinNative(lowest3, (Vector256.Create(s3) * sumB) - sumA);
        }

        return Vector128.Create(Least(lowest0), Least(lowest1), Least(lowest2), Least(lowest3));
    }

    /// <summary>The first point with the least <c>s × B − A</c>, and that value.</summary>
    public static int Nearest(float* a, float* b, int count, float scale, out float lowest)
    {
        lowest = float.MaxValue;
        int nearest = 0;
        if (!Isa.HasAvx2)
        {
            for (int i = 0; i < count; i++)
            {
                float value = (scale * b[i]) - a[i];
                if (value >= lowest) continue;
                lowest = value;
                nearest = i;
            }

            return nearest;
        }

        Vector256<float> s = Vector256.Create(scale), least = Vector256.Create(float.MaxValue);
        for (int i = 0; i < count; i += 8) least = Vector256.MinNative(least, (s * Vector256.Load(b + i)) - Vector256.Load(a + i));
        lowest = Least(least);
        least = Vector256.Create(lowest);
        for (int i = 0; i < count; i += 8)
        {
            uint found = Vector256.Equals(least, (s * Vector256.Load(b + i)) - Vector256.Load(a + i)).ExtractMostSignificantBits();
            if (found != 0) return i + BitOperations.TrailingZeroCount(found);
        }

        return 0;
    }

    private static float Least(Vector256<float> values)
    {
        Vector128<float> four = Vector128.MinNative(values.GetLower(), values.GetUpper());
        return MathF.Min(MathF.Min(four[0], four[1]), MathF.Min(four[2], four[3]));
    }
}
