namespace Quern.Kernels.Cpu.Tests;

/// <summary>
/// A test leg that takes instruction sets away (or runs on a machine that ought to have them) says in <c>QUERN_EXPECT_ISA</c> which tier it
/// expects, so that a switch that the runtime ignores does not pass for a tested tier.
/// </summary>
public class IsaLegTests
{
    [Fact]
    public void TheLegHasTheTierItExpects()
    {
        string? expected = Environment.GetEnvironmentVariable("QUERN_EXPECT_ISA");
        if (string.IsNullOrEmpty(expected)) return;
        Assert.True(Enum.TryParse(expected, ignoreCase: true, out IsaTier tier), $"QUERN_EXPECT_ISA is '{expected}'; expected one of {string.Join(", ", Isa.Names)}");
        Assert.Equal(tier, Isa.Tier);
    }

    [Fact]
    public void ARequestedTierIsTakenOrRefusedWithItsName()
    {
        Assert.Equal(Isa.Detected, Isa.Choose(null));
        Assert.Equal(IsaTier.Scalar, Isa.Choose("SCALAR"));
        Assert.Contains("sse9", Assert.Throws<InvalidOperationException>(() => Isa.Choose("sse9")).Message, StringComparison.Ordinal);
        Assert.Contains("expected one of", Assert.Throws<InvalidOperationException>(() => Isa.Choose("2")).Message, StringComparison.Ordinal);
        foreach (IsaTier tier in Enum.GetValues<IsaTier>())
        {
            string name = tier.ToString().ToLowerInvariant();
            if (Isa.Grants(tier)) Assert.Equal(tier, Isa.Choose(name));
            else Assert.Contains(name, Assert.Throws<InvalidOperationException>(() => Isa.Choose(name)).Message, StringComparison.Ordinal);
        }
    }
}
