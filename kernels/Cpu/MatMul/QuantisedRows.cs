using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.MatMul;

/// <summary>
/// The one-token product (GEMV) of a block format with quantised activations, four rows at a time; the lines of each row's blocks to come are prefetched.
/// </summary>
internal readonly unsafe struct QuantisedRows<T> : IFourRows
    where T : struct, IDotFormat
{
    private const int PrefetchBytes = 1536;

    public static Vector128<float> Multiply(in RowProduct p, int token, int row, int step)
    {
        Q8Vector x = Q8Vector.Place((nint)(p.X + (token * p.XBytes)), T.Activation, p.Cols);
        byte* w = p.Weights + (row * p.RowBytes);
        long apart = step * p.RowBytes;
        int blocks = p.Cols / T.Info.BlockLength;
        if (Isa.HasAvx512 && T.BlocksPerWideStep > 0) return FourAvx512(w, apart, x, blocks, T.Info.BlockBytes);
        if (Isa.HasAvx2) return FourAvx2(w, apart, x, blocks, T.Info.BlockBytes);
        return Vector128.Create(
            Scalar(w, x, blocks), Scalar(w + apart, x, blocks), Scalar(w + (2 * apart), x, blocks), Scalar(w + (3 * apart), x, blocks));
    }

    private static float Scalar(byte* w, in Q8Vector x, int blocks)
    {
        float sum = 0;
        for (int b = 0; b < blocks; b++) sum += T.DotScalar(w + ((long)b * T.Info.BlockBytes), in x, b);
        return sum;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector128<float> FourAvx2(byte* w0, long apart, Q8Vector x, int blocks, int blockBytes)
    {
        byte* w1 = w0 + apart, w2 = w1 + apart, w3 = w2 + apart;
        Vector256<float> a = default, b = default, c = default, d = default;
        for (int i = 0; i < blocks; i++)
        {
            a = T.Step(w0, in x, i, a);
            Prefetch(w0);
            b = T.Step(w1, in x, i, b);
            Prefetch(w1);
            c = T.Step(w2, in x, i, c);
            Prefetch(w2);
            d = T.Step(w3, in x, i, d);
            Prefetch(w3);
            w0 += blockBytes;
            w1 += blockBytes;
            w2 += blockBytes;
            w3 += blockBytes;
        }

        return LaneSums.Of(a, b, c, d);
    }

    // Every line of the block to come: one of a small block, up to four of a block of 256 values.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* w)
    {
        Sse.Prefetch0(w + PrefetchBytes);
        if (T.Activation != ActivationKind.Q8Of256) return;
        Sse.Prefetch0(w + PrefetchBytes + 64);
        Sse.Prefetch0(w + PrefetchBytes + 128);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector128<float> FourAvx512(byte* w0, long apart, Q8Vector x, int blocks, int blockBytes)
    {
        byte* w1 = w0 + apart, w2 = w1 + apart, w3 = w2 + apart;
        int wide = T.BlocksPerWideStep * blockBytes;
        Vector512<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i <= blocks - T.BlocksPerWideStep; i += T.BlocksPerWideStep)
        {
            a = T.Step(w0, in x, i, a);
            Prefetch(w0);
            b = T.Step(w1, in x, i, b);
            Prefetch(w1);
            c = T.Step(w2, in x, i, c);
            Prefetch(w2);
            d = T.Step(w3, in x, i, d);
            Prefetch(w3);
            w0 += wide;
            w1 += wide;
            w2 += wide;
            w3 += wide;
        }

        Vector256<float> a1 = a.GetLower() + a.GetUpper(), b1 = b.GetLower() + b.GetUpper();
        Vector256<float> c1 = c.GetLower() + c.GetUpper(), d1 = d.GetLower() + d.GetUpper();
        if (i < blocks)
        {
            a1 = T.Step(w0, in x, i, a1);
            b1 = T.Step(w1, in x, i, b1);
            c1 = T.Step(w2, in x, i, c1);
            d1 = T.Step(w3, in x, i, d1);
        }

        return LaneSums.Of(a1, b1, c1, d1);
    }
}
