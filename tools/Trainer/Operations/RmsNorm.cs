using System.Numerics;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu;
using Quern.Trainer.Products;

namespace Quern.Trainer.Operations;

/// <summary>
/// <c>y = r g x</c> with <c>r = 1/√(mean x² + ε)</c>, and its gradients:
/// <code>
/// dx = r (g dy − x r² mean(g dy x))        dg = Σ over tokens of dy x r
/// </code>
/// Source: Zhang and Sennrich 2019, arXiv 1910.07467.
/// </summary>
internal static unsafe class RmsNorm
{
    /// <summary>One token; returns r.</summary>
    public static T Forward<T>(T* x, T* gain, T epsilon, int width, T* y)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T r = T.One / T.Sqrt((Rows.Dot(x, x, width) / T.CreateChecked(width)) + epsilon);
        int i = 0;
        if (Isa.HasAvx2)
        {
            Vector256<T> scale = Vector256.Create(r);
            for (; i <= width - Vector256<T>.Count; i += Vector256<T>.Count) (Vector256.Load(x + i) * scale * Vector256.Load(gain + i)).Store(y + i);
        }

        for (; i < width; i++) y[i] = x[i] * r * gain[i];
        return r;
    }

    /// <summary>Adds one token's gradient to <paramref name="dx"/>.</summary>
    public static void Backward<T>(T* dy, T* x, T* gain, T r, int width, T* dx)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T sum = T.Zero;
        int i = 0;
        if (Isa.HasAvx2)
        {
            Vector256<T> lanes = default;
            for (; i <= width - Vector256<T>.Count; i += Vector256<T>.Count)
                lanes = Lanes.MultiplyAdd(Vector256.Load(dy + i) * Vector256.Load(gain + i), Vector256.Load(x + i), lanes);
            sum = Vector256.Sum(lanes);
        }

        for (; i < width; i++) sum += dy[i] * gain[i] * x[i];

        T pull = -r * r * r * sum / T.CreateChecked(width);
        i = 0;
        if (Isa.HasAvx2)
        {
            Vector256<T> scale = Vector256.Create(r), back = Vector256.Create(pull);
            for (; i <= width - Vector256<T>.Count; i += Vector256<T>.Count)
            {
                Vector256<T> kept = Lanes.MultiplyAdd(Vector256.Load(dy + i) * Vector256.Load(gain + i), scale, Vector256.Load(dx + i));
                Lanes.MultiplyAdd(Vector256.Load(x + i), back, kept).Store(dx + i);
            }
        }

        for (; i < width; i++) dx[i] += (r * gain[i] * dy[i]) + (pull * x[i]);
    }

    /// <summary>Adds to the gains' gradient: columns <paramref name="from"/> to <paramref name="to"/>, all tokens in order.</summary>
    public static void GainGradient<T>(T* dy, T* x, T* r, int tokens, int width, int from, int to, T* dgain)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (int token = 0; token < tokens; token++, dy += width, x += width)
        {
            T scale = r[token];
            for (int i = from; i < to; i++) dgain[i] += dy[i] * x[i] * scale;
        }
    }
}
