using System.Globalization;
using System.Runtime.InteropServices;
using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>What this process may compute with.</summary>
/// <param name="Processor">The processor's name as the system tells it.</param>
/// <param name="OperatingSystem">The system's name and version.</param>
/// <param name="Runtime">The .NET runtime.</param>
/// <param name="LogicalProcessors">Hardware threads that this process may use.</param>
/// <param name="PhysicalCores">Cores that those threads belong to: the default number of threads.</param>
/// <param name="Tier">The instruction set in use.</param>
/// <param name="DetectedTier">The instruction set that the machine grants; <c>QUERN_ISA</c> may have lowered it.</param>
/// <param name="MemoryBytes">Memory that this process may use.</param>
public sealed record MachineInfo(
    string Processor, string OperatingSystem, string Runtime, int LogicalProcessors, int PhysicalCores, IsaTier Tier, IsaTier DetectedTier, long MemoryBytes)
{
    private const int MostProcessors = 8192;
    private static readonly Lazy<int> Cores = new(() => Math.Clamp(CountCores() ?? Environment.ProcessorCount, 1, Environment.ProcessorCount));

    /// <summary>Cores of which this process may use at least one thread. Two threads of a core share its multipliers and gain nothing here.</summary>
    public static int CoreCount => Cores.Value;

    /// <summary>Asks the system.</summary>
    public static MachineInfo Read() => new(
        ProcessorName(), RuntimeInformation.OSDescription, RuntimeInformation.FrameworkDescription, Environment.ProcessorCount, CoreCount,
        Isa.Tier, Isa.Detected, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);

    private static string ProcessorName() =>
        FirstLine("/proc/cpuinfo", "model name") ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();

    // Each processor names the hardware threads of its core; as many different lists as there are cores.
    private static int? CountCores()
    {
        if (FirstLine("/proc/self/status", "Cpus_allowed_list") is not { } allowed) return null;
        HashSet<string> cores = [];
        foreach (int processor in ParseProcessors(allowed) ?? [])
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list");
            if (ReadText(path) is not { } siblings) return null;
            cores.Add(siblings.Trim());
        }

        return cores.Count;
    }

    /// <summary>The numbers of a list such as <c>0-3,8</c>, in its order; null where it is no such list, or one of the same number twice.</summary>
    public static IReadOnlyList<int>? ParseProcessors(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> numbers = [];
        foreach (string range in text.Split(',', StringSplitOptions.TrimEntries))
        {
            string[] ends = range.Split('-');
            if (ends.Length > 2 || !Number(ends[0], out int first) || !Number(ends[^1], out int last) || last < first || last - first >= MostProcessors) return null;
            numbers.AddRange(Enumerable.Range(first, last - first + 1));
        }

        return numbers.Distinct().Count() == numbers.Count ? numbers : null;

        static bool Number(string text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    private static string? FirstLine(string path, string key)
    {
        if (ReadText(path) is not { } text) return null;
        foreach (string line in text.Split('\n'))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && line.AsSpan(0, colon).Trim().SequenceEqual(key)) return line[(colon + 1)..].Trim();
        }

        return null;
    }

    private static string? ReadText(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllText(path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
