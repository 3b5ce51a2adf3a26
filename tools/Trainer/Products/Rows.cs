using System.Numerics;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu;

namespace Quern.Trainer.Products;

/// <summary>Loops over one row of values, eight binary32 at a time where the machine can.</summary>
internal static unsafe class Rows
{
    /// <summary><c>y += x</c>.</summary>
    public static void Add<T>(T* x, int count, T* y)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        if (Isa.HasAvx2)
            for (; i <= count - Vector256<T>.Count; i += Vector256<T>.Count) (Vector256.Load(y + i) + Vector256.Load(x + i)).Store(y + i);
        for (; i < count; i++) y[i] += x[i];
    }

    /// <summary><c>y += scale x</c>.</summary>
    public static void AddScaled<T>(T* x, T scale, int count, T* y)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        if (Isa.HasAvx2)
        {
            Vector256<T> s = Vector256.Create(scale);
            for (; i <= count - Vector256<T>.Count; i += Vector256<T>.Count) Lanes.MultiplyAdd(Vector256.Load(x + i), s, Vector256.Load(y + i)).Store(y + i);
        }

        for (; i < count; i++) y[i] += scale * x[i];
    }

    /// <summary><c>Σ a b</c>.</summary>
    public static T Dot<T>(T* a, T* b, int count)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        T sum = T.Zero;
        if (Isa.HasAvx2)
        {
            Vector256<T> lanes = default;
            for (; i <= count - Vector256<T>.Count; i += Vector256<T>.Count) lanes = Lanes.MultiplyAdd(Vector256.Load(a + i), Vector256.Load(b + i), lanes);
            sum = Vector256.Sum(lanes);
        }

        for (; i < count; i++) sum += a[i] * b[i];
        return sum;
    }

    /// <summary>The largest value of at least one.</summary>
    public static T Max<T>(T* x, int count)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        T max = x[0];
        if (Isa.HasAvx2 && count >= Vector256<T>.Count)
        {
            Vector256<T> lanes = Vector256.Load(x);
            for (; i <= count - Vector256<T>.Count; i += Vector256<T>.Count) lanes = Vector256.Max(lanes, Vector256.Load(x + i));
            for (int lane = 0; lane < Vector256<T>.Count; lane++) max = T.Max(max, lanes.GetElement(lane));
        }

        for (; i < count; i++) max = T.Max(max, x[i]);
        return max;
    }

    /// <summary><c>y = e^(scale x − shift)</c>; returns its sum. <paramref name="y"/> may be <paramref name="x"/>.</summary>
    public static T Exp<T>(T* x, T scale, T shift, int count, T* y)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        T sum = T.Zero;
        if (Isa.HasAvx2)
        {
            Vector256<T> lanes = default, s = Vector256.Create(scale), d = Vector256.Create(-shift);
            for (; i <= count - Vector256<T>.Count; i += Vector256<T>.Count)
            {
                Vector256<T> v = Lanes.Exp(Lanes.MultiplyAdd(Vector256.Load(x + i), s, d));
                v.Store(y + i);
                lanes += v;
            }

            sum = Vector256.Sum(lanes);
        }

        for (; i < count; i++)
        {
            y[i] = T.Exp((x[i] * scale) - shift);
            sum += y[i];
        }

        return sum;
    }

    /// <summary><c>x = scale x</c>.</summary>
    public static void Scale<T>(T* x, T scale, int count)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        if (Isa.HasAvx2)
        {
            Vector256<T> s = Vector256.Create(scale);
            for (; i <= count - Vector256<T>.Count; i += Vector256<T>.Count) (Vector256.Load(x + i) * s).Store(x + i);
        }

        for (; i < count; i++) x[i] *= scale;
    }
}
