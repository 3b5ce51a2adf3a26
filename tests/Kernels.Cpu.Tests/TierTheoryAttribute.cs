namespace Quern.Kernels.Cpu.Tests;

/// <summary>A theory of code for an instruction set; reported as skipped, with the reason, where the process runs on a lower one, or on a higher one without it (AVX-VNNI).</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TierTheoryAttribute : TheoryAttribute
{
    public TierTheoryAttribute(IsaTier tier)
    {
        Tier = tier;
        Skip = Isa.Tier >= tier && Isa.Grants(tier) ? null : $"needs {tier.ToString().ToLowerInvariant()}; this process runs on {Isa.Name}";
    }

    public IsaTier Tier { get; }
}
