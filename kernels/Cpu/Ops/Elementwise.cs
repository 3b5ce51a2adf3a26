using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Numerics;

namespace Quern.Kernels.Cpu.Ops;

/// <summary><c>a + b</c>.</summary>
internal readonly struct Sum : IElementwise
{
    public Vector512<float> Apply(Vector512<float> a, Vector512<float> b) => a + b;
}

/// <summary><c>a · factor</c>.</summary>
internal readonly struct Scaled(float factor) : IElementwise
{
    private readonly float _factor = factor;

    public Vector512<float> Apply(Vector512<float> a, Vector512<float> b) => a * Vector512.Create(_factor);
}

/// <summary><c>cap · tanh(a / cap)</c>. Source: Gemma 2, arXiv 2408.00118.</summary>
internal readonly struct Capped(float cap) : IElementwise
{
    private readonly float _cap = cap;

    public Vector512<float> Apply(Vector512<float> a, Vector512<float> b) => VectorMath.Tanh(a * Vector512.Create(1 / _cap)) * Vector512.Create(_cap);
}

/// <summary><c>silu(a) · b</c>. Source: arXiv 1702.03118, arXiv 2002.05202.</summary>
internal readonly struct SiluGate : IElementwise
{
    public Vector512<float> Apply(Vector512<float> a, Vector512<float> b) => a * VectorMath.Sigmoid(a) * b;
}

/// <summary><c>gelu(a) · b</c> by the tanh formula, as <c>a · sigmoid(2 √(2/π) (a + 0.044715 a³))</c>. Source: arXiv 1606.08415.</summary>
internal readonly struct GeluGate : IElementwise
{
    public Vector512<float> Apply(Vector512<float> a, Vector512<float> b)
    {
        Vector512<float> cubic = Vector512.FusedMultiplyAdd(a * a, Vector512.Create(0.044715f), Vector512<float>.One);
        return a * VectorMath.Sigmoid(a * cubic * Vector512.Create(1.5957691216f)) * b;
    }
}
