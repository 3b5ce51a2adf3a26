using System.Globalization;
using System.Text.RegularExpressions;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Makes a module fit what inline PTX in it asks for: the target of instructions that only Hopper has, and shared memory of more than 48 KiB, which has to be declared outside of the kernel
/// and asked for at launch. Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, sections 5.4.6 and 11.1.2; "CUDA C++ Programming Guide", section 16.8.3.
/// </summary>
internal static partial class PtxModule
{
    private const int MostStatic = 48 << 10;

    /// <param name="ptx">A module of one kernel.</param>
    /// <param name="sharedBytes">Bytes of shared memory to ask for at launch.</param>
    public static string Fit(string ptx, out int sharedBytes)
    {
        if (ptx.Contains("wgmma.", StringComparison.Ordinal)) ptx = Target().Replace(ptx, ".target sm_90a");
        sharedBytes = 0;
        if (Shared().Match(ptx) is not { Success: true } shared || int.Parse(shared.Groups["bytes"].Value, CultureInfo.InvariantCulture) is var bytes && bytes <= MostStatic) return ptx;
        sharedBytes = bytes;
        int entry = ptx.IndexOf(".visible .entry", StringComparison.Ordinal);
        return $"{ptx[..entry]}.extern {shared.Groups["start"].Value}[];\n{ptx[entry..shared.Index]}{ptx[(shared.Index + shared.Length)..]}";
    }

    [GeneratedRegex(@"\.target sm_\d+")]
    private static partial Regex Target();

    [GeneratedRegex(@"(?<start>\.shared \.align \d+ \.b8 \w+)\[(?<bytes>\d+)\];")]
    private static partial Regex Shared();
}
