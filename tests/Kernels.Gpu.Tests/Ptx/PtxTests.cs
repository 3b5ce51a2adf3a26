using Xunit.Abstractions;

namespace Quern.Kernels.Gpu.Tests.Ptx;

/// <summary>
/// Every kernel as a card gets it, looked at without one. Local memory is judged by the assembler: the package declares the results of inline PTX there, and the assembler keeps
/// them in registers where nothing is indexed.
/// </summary>
public sealed class PtxTests(ITestOutputHelper output)
{
    private static readonly string[] ReadWeights = ["Gemv", "Ring", "Gemm", "Experts", "Embed", "Warpgroup"];

    public static TheoryData<string> Kernels => [.. KernelTable.All.Keys];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void AKernelHoldsTheInstructionsThatItIsMadeOf(string name)
    {
        KernelRule rule = KernelTable.All[name];
        string ptx = PtxProbe.Compile(rule.Kernel);

        // A tenth of binary32's speed and less: an unsigned integer that becomes a number goes that way.
        Assert.Equal(0, PtxProbe.Count(ptx, @"\.f64"));

        // Nothing is left of the plain code beside PTX.
        if (rule.Kernel.Method.IsDefined(typeof(JoinsPiecesAttribute), false)) Assert.Equal(0, PtxProbe.Count(ptx, @"mov\.pred\s+%p\d+, 1;\s*@"));

        // What it has without asking for it at launch; and nothing of what lanes exchange where there are no shuffles.
        Assert.InRange(PtxProbe.StaticBytes(ptx), 0, 48 << 10);
        Assert.Equal(0, PtxProbe.Count(ptx, @"__shared_alloca\d+\[512\];"));

        // It starts while the one before ends, and waits for that; the machine looks that it touches nothing before.
        Assert.Equal((1, 1), (PtxProbe.Count(ptx, @"griddepcontrol\.launch_dependents;"), PtxProbe.Count(ptx, @"griddepcontrol\.wait;")));

        // What other kernels write must not be read so: the assembler reads it early, before the kernel waits for them. Weights are.
        Assert.Equal(0, PtxProbe.Count(ptx, @"\.nc\.(?!L1::no_allocate\.v4|v2\.u32|u32|u16|u8)"));
        if (!ReadWeights.Any(kind => name.StartsWith(kind, StringComparison.Ordinal))) Assert.Equal(0, PtxProbe.Count(ptx, @"\.nc\."));
        Assert.All(rule.Needs, need => Assert.True(PtxProbe.Count(ptx, need.Pattern) >= need.Least, $"{PtxProbe.Count(ptx, need.Pattern)} times {need.Pattern}, expected {need.Least}"));
    }

    [AssemblerTheory]
    [MemberData(nameof(Kernels))]
    public void AKernelKeepsItsBudget(string name)
    {
        KernelRule rule = KernelTable.All[name];
        Assembled result = PtxProbe.Assemble(PtxProbe.Compile(rule.Kernel))!.Value;
        output.WriteLine($"{name}: {result.Registers} registers, {result.SpillBytes} bytes spilled, {result.LocalBytes} bytes of stack, {result.SharedBytes} bytes shared");
        Assert.InRange(Math.Max(result.SpillBytes, result.LocalBytes), 0, rule.MostSpilled);
        Assert.InRange(result.Registers, 1, rule.MostRegisters);
    }
}
