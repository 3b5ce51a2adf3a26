using ILGPU;
using ILGPU.Algorithms;
using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu.Ops;

/// <summary>The functions of <see cref="Activation"/>, chosen by number: every thread of a launch takes the same branch.</summary>
internal static class Activations
{
    /// <summary>f(x).</summary>
    public static float Apply(int activation, float x)
    {
        if (activation == (int)Activation.Silu) return x * Sigmoid(x);
        if (activation == (int)Activation.Gelu) return x * Sigmoid(1.5957691216f * (x + (0.044715f * x * x * x)));
        if (activation == (int)Activation.Relu) return IntrinsicMath.Max(x, 0f);
        if (activation == (int)Activation.ReluSquared) return IntrinsicMath.Max(x, 0f) * IntrinsicMath.Max(x, 0f);
        if (activation == (int)Activation.ClampedSwish) return IntrinsicMath.Min(x, 7f) * Sigmoid(1.702f * IntrinsicMath.Min(x, 7f));
        if (activation == (int)Activation.Sigmoid) return Sigmoid(x);
        if (activation == (int)Activation.Tanh) return Tanh(x);
        if (activation == (int)Activation.Softplus) return Softplus(x);
        return XMath.Exp(-XMath.Exp(x));
    }

    /// <summary>What a gated unit multiplies with f.</summary>
    public static float Other(int activation, float up) =>
        activation == (int)Activation.ClampedSwish ? IntrinsicMath.Min(IntrinsicMath.Max(up, -7f), 7f) + 1f : up;

    /// <summary><c>1 / (1 + e^−x)</c>.</summary>
    public static float Sigmoid(float x) => 1f / (1f + XMath.Exp(-x));

    /// <summary><c>tanh x</c>, near 0 by its series, so that small values keep their digits.</summary>
    public static float Tanh(float x)
    {
        float magnitude = IntrinsicMath.Abs(x), square = x * x;
        if (magnitude < 0.1f) return x * (1f - (square * (0.33333334f - (square * (0.13333334f - (square * 0.053968254f))))));
        float e = XMath.Exp(-2f * magnitude), result = (1f - e) / (1f + e);
        return x < 0f ? -result : result;
    }

    // ln(1 + e) by its series where e is small, where a sum with 1 loses its digits.
    private static float Softplus(float x)
    {
        float e = XMath.Exp(-IntrinsicMath.Abs(x));
        float logarithm = e < 0.01f ? e * (1f - (e * (0.5f - (e * 0.33333334f)))) : XMath.Log(1f + e);
        return IntrinsicMath.Max(x, 0f) + logarithm;
    }
}
