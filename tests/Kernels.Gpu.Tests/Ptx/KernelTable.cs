using Quern.Kernels.Gpu.Ops;

namespace Quern.Kernels.Gpu.Tests.Ptx;

/// <summary>What a kernel must be once it is compiled.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="MostRegisters">Its budget: 64 leave a multiprocessor 32 warps, 128 leave it 16.</param>
internal sealed record KernelRule(Delegate Kernel, int MostRegisters)
{
    /// <summary>Patterns that its PTX has to hold.</summary>
    public string[] Needs { get; init; } = [];
}

/// <summary>Every kernel of the room, by name. A new kernel is a line here.</summary>
internal static partial class KernelTable
{
    public static IReadOnlyDictionary<string, KernelRule> All { get; } = new Dictionary<string, KernelRule>
    {
        ["RmsNorm"] = new(RmsNorm.Kernel, 40),
    };
}
