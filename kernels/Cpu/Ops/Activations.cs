using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Numerics;

namespace Quern.Kernels.Cpu.Ops;

/// <summary>A function of <see cref="Activation"/>, on sixteen values.</summary>
internal interface IActivation
{
    /// <summary>The function.</summary>
    static abstract Vector512<float> Apply(Vector512<float> x);

    /// <summary>What a gated unit multiplies with it.</summary>
    static virtual Vector512<float> Other(Vector512<float> up) => up;
}

/// <summary><c>f(a)</c>.</summary>
internal readonly struct Plain<TActivation> : IElementwise
    where TActivation : struct, IActivation
{
    public Vector512<float> Apply(Vector512<float> a, Vector512<float> b) => TActivation.Apply(a);
}

/// <summary><c>f(a) · b</c>. Source: arXiv 2002.05202.</summary>
internal readonly struct Gated<TActivation> : IElementwise
    where TActivation : struct, IActivation
{
    public Vector512<float> Apply(Vector512<float> a, Vector512<float> b) => TActivation.Apply(a) * TActivation.Other(b);
}

/// <summary><c>x · sigmoid(x)</c>. Source: arXiv 1702.03118.</summary>
internal readonly struct Silu : IActivation
{
    public static Vector512<float> Apply(Vector512<float> x) => x * VectorMath.Sigmoid(x);
}

/// <summary>The tanh formula, as <c>x · sigmoid(2 √(2/π) (x + 0.044715 x³))</c>. Source: arXiv 1606.08415.</summary>
internal readonly struct Gelu : IActivation
{
    public static Vector512<float> Apply(Vector512<float> x)
    {
        Vector512<float> cubic = Vector512.FusedMultiplyAdd(x * x, Vector512.Create(0.044715f), Vector512<float>.One);
        return x * VectorMath.Sigmoid(x * cubic * Vector512.Create(1.5957691216f));
    }
}

/// <summary><c>max(x, 0)</c>.</summary>
internal readonly struct Relu : IActivation
{
    public static Vector512<float> Apply(Vector512<float> x) => Vector512.Max(x, Vector512<float>.Zero);
}

/// <summary><c>max(x, 0)²</c>. Source: arXiv 2109.08668.</summary>
internal readonly struct ReluSquared : IActivation
{
    public static Vector512<float> Apply(Vector512<float> x)
    {
        Vector512<float> positive = Vector512.Max(x, Vector512<float>.Zero);
        return positive * positive;
    }
}

/// <summary><c>x · sigmoid(1.702 x)</c> of <c>min(x, 7)</c>, beside <c>clamp(up, −7, 7) + 1</c>. Source: arXiv 2508.10925.</summary>
internal readonly struct ClampedSwish : IActivation
{
    private const float Alpha = 1.702f, Limit = 7;

    public static Vector512<float> Apply(Vector512<float> x)
    {
        Vector512<float> limited = Vector512.Min(x, Vector512.Create(Limit));
        return limited * VectorMath.Sigmoid(limited * Vector512.Create(Alpha));
    }

    public static Vector512<float> Other(Vector512<float> up) =>
        Vector512.Min(Vector512.Max(up, Vector512.Create(-Limit)), Vector512.Create(Limit)) + Vector512<float>.One;
}

/// <summary><c>1 / (1 + e^−x)</c>.</summary>
internal readonly struct Sigmoid : IActivation
{
    public static Vector512<float> Apply(Vector512<float> x) => VectorMath.Sigmoid(x);
}

/// <summary><c>tanh x</c>.</summary>
internal readonly struct Tanh : IActivation
{
    public static Vector512<float> Apply(Vector512<float> x) => VectorMath.Tanh(x);
}

/// <summary><c>ln(1 + e^x) = max(x, 0) + ln(1 + e^−|x|)</c>. Source: arXiv 2312.00752; D. Goldberg 1991, "What every computer scientist should know about floating-point arithmetic", theorem 4, for ln(1 + e).</summary>
internal readonly struct Softplus : IActivation
{
    public static Vector512<float> Apply(Vector512<float> x)
    {
        Vector512<float> e = VectorMath.Exp(-Vector512.Abs(x)), sum = Vector512<float>.One + e;
        Vector512<float> logarithm = Vector512.Log(sum) * e / (sum - Vector512<float>.One);
        return Vector512.Max(x, Vector512<float>.Zero) + Vector512.ConditionalSelect(Vector512.Equals(sum, Vector512<float>.One), e, logarithm);
    }
}

/// <summary><c>e^(−e^x)</c>. Source: arXiv 2404.05892.</summary>
internal readonly struct Decay : IActivation
{
    public static Vector512<float> Apply(Vector512<float> x) => VectorMath.Exp(-VectorMath.Exp(x));
}
