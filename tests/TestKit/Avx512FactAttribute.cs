using Quern.Kernels.Cpu;
using Xunit;

namespace Quern.TestKit;

/// <summary>A fact that takes minutes even with the widest vectors, and does not depend on the tier or on how code is compiled; reported as skipped, with the reason, on every tier but the machine's own, on narrow ones, and where code is compiled once.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class Avx512FactAttribute : FactAttribute
{
    public Avx512FactAttribute() => Skip =
        Isa.Tier < IsaTier.Avx512 ? $"takes minutes with AVX-512 and too long with {Isa.Tier}" : Isa.Tier < Isa.Detected ? $"takes minutes, and runs with {Isa.Detected}"
        : Environment.GetEnvironmentVariable("DOTNET_TieredCompilation") == "0" ? "takes minutes, and runs with tiered compilation" : null;
}
