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

/// <summary><c>min(max(a, −limit), limit)</c>.</summary>
internal readonly struct Clamped(float limit) : IElementwise
{
    private readonly float _limit = limit;

    public Vector512<float> Apply(Vector512<float> a, Vector512<float> b) =>
        Vector512.Min(Vector512.Max(a, Vector512.Create(-_limit)), Vector512.Create(_limit));
}
