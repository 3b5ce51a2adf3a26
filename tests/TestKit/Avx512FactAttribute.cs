using Quern.Kernels.Cpu;
using Xunit;

namespace Quern.TestKit;

/// <summary>A fact that takes minutes even with the widest vectors; reported as skipped, with the reason, on narrower tiers.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class Avx512FactAttribute : FactAttribute
{
    public Avx512FactAttribute() => Skip = Isa.Tier >= IsaTier.Avx512 ? null : $"takes minutes with AVX-512 and too long with {Isa.Tier}";
}
