using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Formats.Grids;

/// <summary>
/// Finds the <see cref="PointEnvelope"/> of a grid for a few values. Vector lanes are points and nothing is fused, so every tier finds
/// the same points.
/// </summary>
internal static unsafe class GridSearch
{
    /// <summary>Scales that count begin at this share of the first seed.</summary>
    private const float SmallestToSeed = 0.6f;

    /// <summary>How many lines pass before the kinks are looked at again.</summary>
    private const int LinesUntilRefresh = 6;

    /// <summary>Fills A and B of <see cref="PointEnvelope"/> for all points of a grid.</summary>
    /// <param name="shape">The grid.</param>
    /// <param name="values">[dimension] x.</param>
    /// <param name="weights">[dimension] w.</param>
    /// <param name="a">[count] A, 64-byte aligned.</param>
    /// <param name="b">[count] B, 64-byte aligned.</param>
    /// <param name="flipped">Null, or [count]: A when the sign of one value, the one that costs least at that point, is changed.</param>
    public static void Correlate(GridShape shape, float* values, float* weights, float* a, float* b, float* flipped)
    {
        if (!Isa.HasAvx2)
        {
            CorrelateScalar(shape, values, weights, a, b, flipped);
            return;
        }

        int count = shape.Count;
        for (int i = 0; i < count; i += 16)
        {
            Vector256<float> sumA0 = Vector256<float>.Zero, sumA1 = sumA0, sumB0 = sumA0, sumB1 = sumA0;
            Vector256<float> least0 = Vector256.Create(float.MaxValue), least1 = least0;
            float* column = shape.Coordinates + i;
            for (int j = 0; j < shape.Dimension; j++, column += count)
            {
                Vector256<float> w = Vector256.Create(weights[j]), doubled = Vector256.Create(2 * weights[j] * values[j]);
                Vector256<float> g0 = Vector256.LoadAligned(column), g1 = Vector256.LoadAligned(column + 8);
                Vector256<float> product0 = doubled * g0, product1 = doubled * g1;
                sumA0 += product0;
                sumA1 += product1;
                sumB0 += w * g0 * g0;
                sumB1 += w * g1 * g1;
                least0 = Vector256.MinNative(least0, product0);
                least1 = Vector256.MinNative(least1, product1);
            }

            sumA0.StoreAligned(a + i);
            sumA1.StoreAligned(a + i + 8);
            sumB0.StoreAligned(b + i);
            sumB1.StoreAligned(b + i + 8);
            if (flipped == null) continue;
            (sumA0 - (least0 + least0)).StoreAligned(flipped + i);
            (sumA1 - (least1 + least1)).StoreAligned(flipped + i + 8);
        }
    }

    /// <summary><see cref="Correlate"/> in plain loops, with the same bits.</summary>
    internal static void CorrelateScalar(GridShape shape, float* values, float* weights, float* a, float* b, float* flipped)
    {
        for (int i = 0; i < shape.Count; i++)
        {
            float sumA = 0, sumB = 0, least = float.MaxValue;
            for (int j = 0; j < shape.Dimension; j++)
            {
                float g = shape.Coordinates[(j * shape.Count) + i], product = 2 * weights[j] * values[j] * g;
                sumA += product;
                sumB += weights[j] * g * g;
                if (product < least) least = product;
            }

            a[i] = sumA;
            b[i] = sumB;
            if (flipped != null) flipped[i] = sumA - (2 * least);
        }
    }

    /// <summary>
    /// Collects the envelope of some of the lines that <see cref="Correlate"/> left: first those that are lowest at four scales, then whatever
    /// passes below a kink of the envelope found so far.
    /// </summary>
    /// <param name="a">[count] A.</param>
    /// <param name="b">[count] B.</param>
    /// <param name="first">Index of the first line to take; a multiple of 8.</param>
    /// <param name="count">How many to take; a multiple of 8.</param>
    /// <param name="seeds">Four scales, rising. Scales from a little under the first upwards count.</param>
    /// <param name="largest">The largest scale that counts.</param>
    /// <param name="envelope">Result.</param>
    public static void Envelop(float* a, float* b, int first, int count, Vector128<float> seeds, float largest, PointEnvelope* envelope)
    {
        float* scales = stackalloc float[PointEnvelope.Capacity + 1], values = stackalloc float[PointEnvelope.Capacity + 1];
        float smallest = seeds[0] * SmallestToSeed;
        envelope->Clear();
        Vector128<int> lowest = Nearest(a + first, b + first, count, seeds) + Vector128.Create(first);
        for (int k = 0; k < 4; k++) envelope->Add(a[lowest[k]], b[lowest[k]], lowest[k]);
        int kinks = envelope->Kinks(smallest, largest, scales, values), added = 0;
        for (int i = first; i < first + count; i += 8)
        {
            uint below = Below(a + i, b + i, scales, values, kinks);
            if (below == 0) continue;
            added += BitOperations.PopCount(below);
            for (; below != 0; below &= below - 1)
            {
                int index = i + BitOperations.TrailingZeroCount(below);
                envelope->Add(a[index], b[index], index);
            }

            // An old envelope lets more lines through than the new one would, which costs time and is harmless.
            if (added < LinesUntilRefresh) continue;
            added = 0;
            kinks = envelope->Kinks(smallest, largest, scales, values);
        }
    }

    /// <summary>The first line with the least <c>s × B − A</c> for each of four scales.</summary>
    internal static Vector128<int> Nearest(float* a, float* b, int count, Vector128<float> scales)
    {
        if (!Isa.HasAvx2) return NearestScalar(a, b, count, scales);
        Vector256<float> least0 = Vector256.Create(float.MaxValue), least1 = least0, least2 = least0, least3 = least0;
        Vector256<float> s0 = Vector256.Create(scales[0]), s1 = Vector256.Create(scales[1]);
        Vector256<float> s2 = Vector256.Create(scales[2]), s3 = Vector256.Create(scales[3]);
        Vector256<int> index = Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7), index0 = index, index1 = index, index2 = index, index3 = index;
        for (int i = 0; i < count; i += 8, index += Vector256.Create(8))
        {
            Vector256<float> sumA = Vector256.LoadAligned(a + i), sumB = Vector256.LoadAligned(b + i);
            Keep((s0 * sumB) - sumA, index, ref least0, ref index0);
            Keep((s1 * sumB) - sumA, index, ref least1, ref index1);
            Keep((s2 * sumB) - sumA, index, ref least2, ref index2);
            Keep((s3 * sumB) - sumA, index, ref least3, ref index3);
        }

        return Vector128.Create(First(least0, index0), First(least1, index1), First(least2, index2), First(least3, index3));
    }

    /// <summary><see cref="Nearest"/> in plain loops.</summary>
    internal static Vector128<int> NearestScalar(float* a, float* b, int count, Vector128<float> scales)
    {
        int* nearest = stackalloc int[4];
        for (int k = 0; k < 4; k++)
        {
            float scale = scales[k], least = float.MaxValue;
            for (int i = 0; i < count; i++)
            {
                float value = (scale * b[i]) - a[i];
                if (value >= least) continue;
                least = value;
                nearest[k] = i;
            }
        }

        return Vector128.Load(nearest);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep(Vector256<float> values, Vector256<int> index, ref Vector256<float> least, ref Vector256<int> kept)
    {
        kept = Vector256.ConditionalSelect(Vector256.LessThan(values, least).AsInt32(), index, kept);
        least = Vector256.MinNative(values, least);
    }

    /// <summary>The smallest index among the lanes with the least value.</summary>
    private static int First(Vector256<float> least, Vector256<int> index)
    {
        int lane = 0;
        for (int i = 1; i < 8; i++)
        {
            if (least[i] < least[lane] || (least[i] == least[lane] && index[i] < index[lane])) lane = i;
        }

        return index[lane];
    }

    /// <summary>A bit for each of eight lines, set if the line is below a kink.</summary>
    internal static uint Below(float* a, float* b, float* scales, float* values, int kinks)
    {
        if (!Isa.HasAvx2) return BelowScalar(a, b, scales, values, kinks);
        Vector256<float> sumA = Vector256.LoadAligned(a), sumB = Vector256.LoadAligned(b), below = Vector256<float>.Zero;
        for (int k = 0; k < kinks; k++)
            below |= Vector256.LessThan((Vector256.Create(scales[k]) * sumB) - sumA, Vector256.Create(values[k]));
        return below.ExtractMostSignificantBits();
    }

    /// <summary><see cref="Below"/> in plain loops.</summary>
    internal static uint BelowScalar(float* a, float* b, float* scales, float* values, int kinks)
    {
        uint bits = 0;
        for (int lane = 0; lane < 8; lane++)
        {
            for (int k = 0; k < kinks; k++)
            {
                if ((scales[k] * b[lane]) - a[lane] < values[k]) bits |= 1u << lane;
            }
        }

        return bits;
    }
}
