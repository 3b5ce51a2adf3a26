using System.Numerics;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu;
using Quern.Trainer.Products;

namespace Quern.Trainer.Operations;

/// <summary>
/// <c>y = g σ(g) u</c>, and with <c>s = σ(g)</c>: <c>dg = dy u s (1 + g (1 − s))</c>, <c>du = dy g s</c>. Source: Shazeer 2020, arXiv 2002.05202.
/// </summary>
internal static unsafe class SwiGlu
{
    /// <summary>One token.</summary>
    public static void Forward<T>(T* gate, T* up, int count, T* y)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        if (Isa.HasAvx2)
            for (; i <= count - Vector256<T>.Count; i += Vector256<T>.Count)
            {
                Vector256<T> g = Vector256.Load(gate + i);
                (g / (Vector256<T>.One + Lanes.Exp(-g)) * Vector256.Load(up + i)).Store(y + i);
            }

        for (; i < count; i++) y[i] = gate[i] / (T.One + T.Exp(-gate[i])) * up[i];
    }

    /// <summary>One token.</summary>
    public static void Backward<T>(T* dy, T* gate, T* up, int count, T* dgate, T* dup)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        if (Isa.HasAvx2)
            for (; i <= count - Vector256<T>.Count; i += Vector256<T>.Count)
            {
                Vector256<T> one = Vector256<T>.One, g = Vector256.Load(gate + i), d = Vector256.Load(dy + i);
                Vector256<T> s = one / (one + Lanes.Exp(-g));
                (d * Vector256.Load(up + i) * s * (one + (g * (one - s)))).Store(dgate + i);
                (d * g * s).Store(dup + i);
            }

        for (; i < count; i++)
        {
            T g = gate[i], s = T.One / (T.One + T.Exp(-g));
            dgate[i] = dy[i] * up[i] * s * (T.One + (g * (T.One - s)));
            dup[i] = dy[i] * g * s;
        }
    }
}
