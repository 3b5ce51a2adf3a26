using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.MatMul;

/// <summary>
/// The inner product of four binary32 weight rows with one or more tokens: <c>sums[4t + r] = Σ_k x[t, k] · w[r, k]</c>. Every output has one
/// accumulator, added up lane by lane in the order of k, so that the result for a token does not depend on how many others are computed with it.
/// Register tiles: 4 rows × 6 tokens of 512 bits (24 of 32 registers), 4 × 3 of 256 bits (12 of 16). Source: Goto and van de Geijn 2008, "Anatomy of high-performance
/// matrix multiplication".
/// </summary>
internal static unsafe class Tile
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 4;

    /// <summary>Most tokens of a tile.</summary>
    public const int MaxTokens = 6;

    /// <summary>Tokens of the tile to use when <paramref name="left"/> are left.</summary>
    public static int TokensFor(int left)
    {
        if (Isa.HasAvx512 && left >= 6) return 6;
        return Isa.HasAvx2 && left >= 3 ? 3 : 1;
    }

    /// <summary>One tile; <paramref name="tokens"/> as <see cref="TokensFor"/> says.</summary>
    /// <param name="w">Four weight rows, <paramref name="wStride"/> values apart.</param>
    /// <param name="wStride">Values from row to row.</param>
    /// <param name="x">Tokens, <paramref name="xStride"/> values apart.</param>
    /// <param name="xStride">Values from token to token.</param>
    /// <param name="cols">Values to multiply, any number.</param>
    /// <param name="tokens">1, 3 or 6.</param>
    /// <param name="sums">Destination, 4 × tokens.</param>
    public static void Multiply(float* w, nint wStride, float* x, nint xStride, int cols, int tokens, float* sums)
    {
        int done = 0;
        if (Isa.HasAvx512)
        {
            done = cols & ~15;
            if (tokens == 6) Six512(w, wStride, x, xStride, done, sums);
            else
                for (int t = 0; t < tokens; t++) One512(w, wStride, x + (t * xStride), done, sums + (4 * t));
        }
        else if (Isa.HasAvx2)
        {
            done = cols & ~7;
            if (tokens == 3) Three256(w, wStride, x, xStride, done, sums);
            else One256(w, wStride, x, done, sums);
        }
        else
        {
            new Span<float>(sums, 4 * tokens).Clear();
        }

        if (done < cols) Tail(w, wStride, x, xStride, done, cols, tokens, sums);
    }

    private static void Tail(float* w, nint wStride, float* x, nint xStride, int from, int to, int tokens, float* sums)
    {
        for (int t = 0; t < tokens; t++)
            for (int r = 0; r < Rows; r++)
            {
                float sum = 0;
                for (int k = from; k < to; k++) sum += w[(r * wStride) + k] * x[(t * xStride) + k];
                sums[(4 * t) + r] += sum;
            }
    }

    private static void One512(float* w, nint stride, float* x, int cols, float* sums)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        for (int k = 0; k < cols; k += 16)
        {
            Vector512<float> v = Vector512.Load(x + k);
            a = Avx512F.FusedMultiplyAdd(v, Vector512.Load(w + k), a);
            b = Avx512F.FusedMultiplyAdd(v, Vector512.Load(w + stride + k), b);
            c = Avx512F.FusedMultiplyAdd(v, Vector512.Load(w + (2 * stride) + k), c);
            d = Avx512F.FusedMultiplyAdd(v, Vector512.Load(w + (3 * stride) + k), d);
        }

        LaneSums.Of(a, b, c, d).Store(sums);
    }

    private static void One256(float* w, nint stride, float* x, int cols, float* sums)
    {
        Vector256<float> a = default, b = default, c = default, d = default;
        for (int k = 0; k < cols; k += 8)
        {
            Vector256<float> v = Vector256.Load(x + k);
            a = Fma.MultiplyAdd(v, Vector256.Load(w + k), a);
            b = Fma.MultiplyAdd(v, Vector256.Load(w + stride + k), b);
            c = Fma.MultiplyAdd(v, Vector256.Load(w + (2 * stride) + k), c);
            d = Fma.MultiplyAdd(v, Vector256.Load(w + (3 * stride) + k), d);
        }

        LaneSums.Of(a, b, c, d).Store(sums);
    }

    private static void Three256(float* w, nint stride, float* x, nint xStride, int cols, float* sums)
    {
        float* w2 = w + (2 * stride), x1 = x + xStride, x2 = x1 + xStride;
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default;
        Vector256<float> b0 = default, b1 = default, b2 = default, b3 = default;
        Vector256<float> c0 = default, c1 = default, c2 = default, c3 = default;
        for (int k = 0; k < cols; k += 8)
        {
            Vector256<float> p = Vector256.Load(x + k), q = Vector256.Load(x1 + k), r = Vector256.Load(x2 + k);
            Vector256<float> v = Vector256.Load(w + k);
            a0 = Fma.MultiplyAdd(p, v, a0);
            b0 = Fma.MultiplyAdd(q, v, b0);
            c0 = Fma.MultiplyAdd(r, v, c0);
            v = Vector256.Load(w + stride + k);
            a1 = Fma.MultiplyAdd(p, v, a1);
            b1 = Fma.MultiplyAdd(q, v, b1);
            c1 = Fma.MultiplyAdd(r, v, c1);
            v = Vector256.Load(w2 + k);
            a2 = Fma.MultiplyAdd(p, v, a2);
            b2 = Fma.MultiplyAdd(q, v, b2);
            c2 = Fma.MultiplyAdd(r, v, c2);
            v = Vector256.Load(w2 + stride + k);
            a3 = Fma.MultiplyAdd(p, v, a3);
            b3 = Fma.MultiplyAdd(q, v, b3);
            c3 = Fma.MultiplyAdd(r, v, c3);
        }

        LaneSums.Of(a0, a1, a2, a3).Store(sums);
        LaneSums.Of(b0, b1, b2, b3).Store(sums + 4);
        LaneSums.Of(c0, c1, c2, c3).Store(sums + 8);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Six512(float* w, nint stride, float* x, nint xStride, int cols, float* sums)
    {
        float* w2 = w + (2 * stride), x2 = x + (2 * xStride), x4 = x2 + (2 * xStride);
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default;
        Vector512<float> b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default;
        Vector512<float> d0 = default, d1 = default, d2 = default, d3 = default;
        Vector512<float> e0 = default, e1 = default, e2 = default, e3 = default;
        Vector512<float> f0 = default, f1 = default, f2 = default, f3 = default;
        for (int k = 0; k < cols; k += 16)
        {
            Vector512<float> v0 = Vector512.Load(w + k), v1 = Vector512.Load(w + stride + k);
            Vector512<float> v2 = Vector512.Load(w2 + k), v3 = Vector512.Load(w2 + stride + k);
            Vector512<float> p = Vector512.Load(x + k);
            a0 = Avx512F.FusedMultiplyAdd(p, v0, a0);
            a1 = Avx512F.FusedMultiplyAdd(p, v1, a1);
            a2 = Avx512F.FusedMultiplyAdd(p, v2, a2);
            a3 = Avx512F.FusedMultiplyAdd(p, v3, a3);
            p = Vector512.Load(x + xStride + k);
            b0 = Avx512F.FusedMultiplyAdd(p, v0, b0);
            b1 = Avx512F.FusedMultiplyAdd(p, v1, b1);
            b2 = Avx512F.FusedMultiplyAdd(p, v2, b2);
            b3 = Avx512F.FusedMultiplyAdd(p, v3, b3);
            p = Vector512.Load(x2 + k);
            c0 = Avx512F.FusedMultiplyAdd(p, v0, c0);
            c1 = Avx512F.FusedMultiplyAdd(p, v1, c1);
            c2 = Avx512F.FusedMultiplyAdd(p, v2, c2);
            c3 = Avx512F.FusedMultiplyAdd(p, v3, c3);
            p = Vector512.Load(x2 + xStride + k);
            d0 = Avx512F.FusedMultiplyAdd(p, v0, d0);
            d1 = Avx512F.FusedMultiplyAdd(p, v1, d1);
            d2 = Avx512F.FusedMultiplyAdd(p, v2, d2);
            d3 = Avx512F.FusedMultiplyAdd(p, v3, d3);
            p = Vector512.Load(x4 + k);
            e0 = Avx512F.FusedMultiplyAdd(p, v0, e0);
            e1 = Avx512F.FusedMultiplyAdd(p, v1, e1);
            e2 = Avx512F.FusedMultiplyAdd(p, v2, e2);
            e3 = Avx512F.FusedMultiplyAdd(p, v3, e3);
            p = Vector512.Load(x4 + xStride + k);
            f0 = Avx512F.FusedMultiplyAdd(p, v0, f0);
            f1 = Avx512F.FusedMultiplyAdd(p, v1, f1);
            f2 = Avx512F.FusedMultiplyAdd(p, v2, f2);
            f3 = Avx512F.FusedMultiplyAdd(p, v3, f3);
        }

        LaneSums.Of(a0, a1, a2, a3).Store(sums);
        LaneSums.Of(b0, b1, b2, b3).Store(sums + 4);
        LaneSums.Of(c0, c1, c2, c3).Store(sums + 8);
        LaneSums.Of(d0, d1, d2, d3).Store(sums + 12);
        LaneSums.Of(e0, e1, e2, e3).Store(sums + 16);
        LaneSums.Of(f0, f1, f2, f3).Store(sums + 20);
    }
}
