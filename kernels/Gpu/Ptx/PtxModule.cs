using System.Globalization;
using System.Text.RegularExpressions;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Makes a module fit what inline PTX in it asks for: the target of instructions that only Hopper has, and shared memory of more than 48 KiB, which has to be declared outside of the kernel
/// and asked for at launch. On Hopper and later every kernel lets the next one of the stream start early and waits for what the one before has written: at its beginning, or where it says
/// so (<see cref="Lane.WaitForKernelsBefore"/>).
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, sections 5.4.6, 9.7.12.13 (griddepcontrol) and 11.1.2; "CUDA C++ Programming Guide", sections 6.2.7 (programmatic dependent launch)
/// and 16.8.3.
/// </summary>
internal static partial class PtxModule
{
    private const int MostStatic = 48 << 10;

    private const string Wait = "griddepcontrol.wait;";

    /// <param name="ptx">A module of one kernel.</param>
    /// <param name="startsEarly">Whether kernels of the card can start before the one before is done.</param>
    /// <param name="sharedBytes">Bytes of shared memory to ask for at launch.</param>
    public static string Fit(string ptx, bool startsEarly, out int sharedBytes)
    {
        ptx = startsEarly ? StartEarly(ptx) : ptx.Replace(Wait, "", StringComparison.Ordinal);
        if (ptx.Contains("wgmma.", StringComparison.Ordinal)) ptx = Target().Replace(ptx, ".target sm_90a");
        sharedBytes = 0;
        if (Shared().Matches(ptx).MaxBy(Bytes) is not { } shared || Bytes(shared) <= MostStatic) return ptx;
        sharedBytes = Bytes(shared);
        int entry = ptx.IndexOf(".visible .entry", StringComparison.Ordinal);
        return $"{ptx[..entry]}.extern {shared.Groups["start"].Value}[];\n{ptx[entry..shared.Index]}{ptx[(shared.Index + shared.Length)..]}";
    }

    private static int Bytes(Match shared) => int.Parse(shared.Groups["bytes"].Value, CultureInfo.InvariantCulture);

    private static string StartEarly(string ptx)
    {
        int body = ptx.IndexOf("\n{", ptx.IndexOf(".visible .entry", StringComparison.Ordinal), StringComparison.Ordinal) + 2;
        string first = "\n\tgriddepcontrol.launch_dependents;" + (ptx.Contains(Wait, StringComparison.Ordinal) ? "" : "\n\t" + Wait);
        return Target().Replace(ptx.Insert(body, first), ".target sm_90");
    }

    [GeneratedRegex(@"\.target sm_\d+")]
    private static partial Regex Target();

    [GeneratedRegex(@"(?<start>\.shared \.align \d+ \.b8 \w+)\[(?<bytes>\d+)\];")]
    private static partial Regex Shared();
}
