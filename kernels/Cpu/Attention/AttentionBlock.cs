using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Numerics;

namespace Quern.Kernels.Cpu.Attention;

/// <summary>
/// What <see cref="FlashAttention"/> does with four queries and a page of 32 slots. Each step is a method of its own that calls nothing in its loop, so that the
/// accumulators stay in registers.
/// </summary>
internal static unsafe class AttentionBlock
{
    /// <summary>Queries of a block.</summary>
    public const int Rows = 4;

    private const int PageTokens = KvLayout.PageTokens;

    /// <summary><c>scores[r, j] = Σ_i q_r[i] · k[i, j]</c>.</summary>
    /// <param name="q0">[length], the first query; then the others.</param>
    /// <param name="q1">[length].</param>
    /// <param name="q2">[length].</param>
    /// <param name="q3">[length].</param>
    /// <param name="k">[length, 32].</param>
    /// <param name="length">Values in a query.</param>
    /// <param name="scores">[4, 32].</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Score(float* q0, float* q1, float* q2, float* q3, float* k, int length, float* scores)
    {
        Vector512<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default;
        for (nint i = 0; i < length; i++, k += PageTokens)
        {
            Vector512<float> low = Vector512.Load(k), high = Vector512.Load(k + 16);
            Vector512<float> q = Vector512.Create(q0[i]);
            a0 = Vector512.FusedMultiplyAdd(q, low, a0);
            a1 = Vector512.FusedMultiplyAdd(q, high, a1);
            q = Vector512.Create(q1[i]);
            b0 = Vector512.FusedMultiplyAdd(q, low, b0);
            b1 = Vector512.FusedMultiplyAdd(q, high, b1);
            q = Vector512.Create(q2[i]);
            c0 = Vector512.FusedMultiplyAdd(q, low, c0);
            c1 = Vector512.FusedMultiplyAdd(q, high, c1);
            q = Vector512.Create(q3[i]);
            d0 = Vector512.FusedMultiplyAdd(q, low, d0);
            d1 = Vector512.FusedMultiplyAdd(q, high, d1);
        }

        a0.Store(scores);
        a1.Store(scores + 16);
        b0.Store(scores + 32);
        b1.Store(scores + 48);
        c0.Store(scores + 64);
        c1.Store(scores + 80);
        d0.Store(scores + 96);
        d1.Store(scores + 112);
    }

    /// <summary>
    /// One query's 32 scores: scale, cap, mask; then weights <c>e^(s − m')</c> in their place, and everything before is multiplied by <c>e^(m − m')</c>.
    /// </summary>
    /// <param name="options">Scale, cap, window.</param>
    /// <param name="first">Slot of the page's first key.</param>
    /// <param name="slot">Slot of the query.</param>
    /// <param name="weights">[32] scores, then weights.</param>
    /// <param name="maximum">The running maximum m.</param>
    /// <param name="sum">The running sum l.</param>
    /// <param name="output">[stride] the running output o.</param>
    /// <param name="stride">Values of it, a multiple of 16.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Soften(in AttentionOptions options, int first, int slot, float* weights, float* maximum, float* sum, float* output, int stride)
    {
        Vector512<float> low = Vector512.Load(weights) * options.Scale, high = Vector512.Load(weights + 16) * options.Scale;
        if (options.SoftCap != 0)
        {
            low = VectorMath.Tanh(low / options.SoftCap) * options.SoftCap;
            high = VectorMath.Tanh(high / options.SoftCap) * options.SoftCap;
        }

        int oldest = options.Window == 0 ? 0 : slot - options.Window + 1;
        if (first < oldest || first + PageTokens - 1 > slot)
        {
            low = Mask(low, first, oldest, slot);
            high = Mask(high, first + 16, oldest, slot);
        }

        float before = *maximum, now = Math.Max(before, Largest(Vector512.Max(low, high)));
        if (float.IsNegativeInfinity(now))
        {
            new Span<float>(weights, PageTokens).Clear();
            return;
        }

        low = VectorMath.Exp(low - Vector512.Create(now));
        high = VectorMath.Exp(high - Vector512.Create(now));
        low.Store(weights);
        high.Store(weights + 16);
        float added = Vector512.Sum(low + high);
        if (now == before)
        {
            *sum += added;
            return;
        }

        float shrink = MathF.Exp(before - now);
        *maximum = now;
        *sum = (*sum * shrink) + added;
        for (int i = 0; i < stride; i += 16) (Vector512.Load(output + i) * shrink).Store(output + i);
    }

    /// <summary><c>o[r] += Σ_j weights[r, j] · v[j]</c>; weights of rows that do not exist are whatever was there, and so is their output.</summary>
    /// <param name="weights">[4, 32].</param>
    /// <param name="v">[32, stride].</param>
    /// <param name="stride">Values in a row, a multiple of 16.</param>
    /// <param name="output">[4, stride].</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Accumulate(float* weights, float* v, int stride, float* output)
    {
        int i = 0;
        for (; i <= stride - 32; i += 32) AccumulateTwo(weights, v + i, stride, output + i);
        if (i < stride) AccumulateOne(weights, v + i, stride, output + i);
    }

    private static void AccumulateTwo(float* weights, float* v, nint stride, float* o0)
    {
        float* o1 = o0 + stride, o2 = o1 + stride, o3 = o2 + stride, end = weights + PageTokens;
        Vector512<float> a0 = Vector512.Load(o0), a1 = Vector512.Load(o0 + 16), b0 = Vector512.Load(o1), b1 = Vector512.Load(o1 + 16);
        Vector512<float> c0 = Vector512.Load(o2), c1 = Vector512.Load(o2 + 16), d0 = Vector512.Load(o3), d1 = Vector512.Load(o3 + 16);
        for (; weights < end; weights++, v += stride)
        {
            Vector512<float> low = Vector512.Load(v), high = Vector512.Load(v + 16);
            Vector512<float> w = Vector512.Create(weights[0]);
            a0 = Vector512.FusedMultiplyAdd(w, low, a0);
            a1 = Vector512.FusedMultiplyAdd(w, high, a1);
            w = Vector512.Create(weights[PageTokens]);
            b0 = Vector512.FusedMultiplyAdd(w, low, b0);
            b1 = Vector512.FusedMultiplyAdd(w, high, b1);
            w = Vector512.Create(weights[2 * PageTokens]);
            c0 = Vector512.FusedMultiplyAdd(w, low, c0);
            c1 = Vector512.FusedMultiplyAdd(w, high, c1);
            w = Vector512.Create(weights[3 * PageTokens]);
            d0 = Vector512.FusedMultiplyAdd(w, low, d0);
            d1 = Vector512.FusedMultiplyAdd(w, high, d1);
        }

        a0.Store(o0);
        a1.Store(o0 + 16);
        b0.Store(o1);
        b1.Store(o1 + 16);
        c0.Store(o2);
        c1.Store(o2 + 16);
        d0.Store(o3);
        d1.Store(o3 + 16);
    }

    private static void AccumulateOne(float* weights, float* v, nint stride, float* o0)
    {
        float* o1 = o0 + stride, o2 = o1 + stride, o3 = o2 + stride, end = weights + PageTokens;
        Vector512<float> a = Vector512.Load(o0), b = Vector512.Load(o1), c = Vector512.Load(o2), d = Vector512.Load(o3);
        for (; weights < end; weights++, v += stride)
        {
            Vector512<float> value = Vector512.Load(v);
            a = Vector512.FusedMultiplyAdd(Vector512.Create(weights[0]), value, a);
            b = Vector512.FusedMultiplyAdd(Vector512.Create(weights[PageTokens]), value, b);
            c = Vector512.FusedMultiplyAdd(Vector512.Create(weights[2 * PageTokens]), value, c);
            d = Vector512.FusedMultiplyAdd(Vector512.Create(weights[3 * PageTokens]), value, d);
        }

        a.Store(o0);
        b.Store(o1);
        c.Store(o2);
        d.Store(o3);
    }

    private static Vector512<float> Mask(Vector512<float> scores, int first, int oldest, int newest)
    {
        Vector512<int> slots = Vector512.Create(first) + Vector512<int>.Indices;
        Vector512<int> seen = Vector512.GreaterThanOrEqual(slots, Vector512.Create(oldest)) & Vector512.LessThanOrEqual(slots, Vector512.Create(newest));
        return Vector512.ConditionalSelect(seen.AsSingle(), scores, Vector512.Create(float.NegativeInfinity));
    }

    private static float Largest(Vector512<float> values)
    {
        Vector256<float> half = Vector256.Max(values.GetLower(), values.GetUpper());
        Vector128<float> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        return Math.Max(Math.Max(quarter.GetElement(0), quarter.GetElement(1)), Math.Max(quarter.GetElement(2), quarter.GetElement(3)));
    }
}
