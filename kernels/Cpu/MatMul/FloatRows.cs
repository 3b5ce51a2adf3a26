using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.MatMul;

/// <summary>The one-token product (GEMV) of a floating-point format with binary32 activations, four rows at a time.</summary>
internal readonly unsafe struct FloatRows<T> : IFourRows
    where T : struct, IFloatFormat
{
    private const int PrefetchBytes = 1536;

    public static Vector128<float> Multiply(in RowProduct p, int token, int row, int step)
    {
        float* x = (float*)(p.X + (token * p.XBytes));
        byte* w = p.Weights + (row * p.RowBytes);
        long apart = step * p.RowBytes;
        int done = 0;
        Vector128<float> sums = default;
        if (Isa.HasAvx512) sums = FourAvx512(w, apart, x, done = p.Cols & ~15, T.Info.BlockBytes);
        else if (Isa.HasAvx2) sums = FourAvx2(w, apart, x, done = p.Cols & ~7, T.Info.BlockBytes);
        for (int k = done; k < p.Cols; k++)
        {
            byte* at = w + ((long)k * T.Info.BlockBytes);
            sums += Vector128.Create(T.Load(at), T.Load(at + apart), T.Load(at + (2 * apart)), T.Load(at + (3 * apart))) * x[k];
        }

        return sums;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector128<float> FourAvx2(byte* w, long apart, float* x, int cols, int bytes)
    {
        Vector256<float> a = default, b = default, c = default, d = default;
        for (int k = 0; k < cols; k += 8, w += 8 * bytes)
        {
            Vector256<float> v = Vector256.Load(x + k);
            a = Fma.MultiplyAdd(T.Load8(w), v, a);
            b = Fma.MultiplyAdd(T.Load8(w + apart), v, b);
            c = Fma.MultiplyAdd(T.Load8(w + (2 * apart)), v, c);
            d = Fma.MultiplyAdd(T.Load8(w + (3 * apart)), v, d);
            Sse.Prefetch0(w + PrefetchBytes);
            Sse.Prefetch0(w + apart + PrefetchBytes);
            Sse.Prefetch0(w + (2 * apart) + PrefetchBytes);
            Sse.Prefetch0(w + (3 * apart) + PrefetchBytes);
        }

        return LaneSums.Of(a, b, c, d);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector128<float> FourAvx512(byte* w, long apart, float* x, int cols, int bytes)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        for (int k = 0; k < cols; k += 16, w += 16 * bytes)
        {
            Vector512<float> v = Vector512.Load(x + k);
            a = Avx512F.FusedMultiplyAdd(T.Load16(w), v, a);
            b = Avx512F.FusedMultiplyAdd(T.Load16(w + apart), v, b);
            c = Avx512F.FusedMultiplyAdd(T.Load16(w + (2 * apart)), v, c);
            d = Avx512F.FusedMultiplyAdd(T.Load16(w + (3 * apart)), v, d);
            Sse.Prefetch0(w + PrefetchBytes);
            Sse.Prefetch0(w + apart + PrefetchBytes);
            Sse.Prefetch0(w + (2 * apart) + PrefetchBytes);
            Sse.Prefetch0(w + (3 * apart) + PrefetchBytes);
        }

        return LaneSums.Of(a, b, c, d);
    }
}
