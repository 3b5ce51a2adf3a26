using System.Text.RegularExpressions;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Leaves out shared memory that a card never touches: of the plain code beside each piece of PTX, behind a condition that is always true. The assembler finds that this code never runs, but keeps its memory, which
/// fewer groups then share.
/// </summary>
internal static partial class PtxShared
{
    /// <param name="ptx">A module of one kernel.</param>
    public static string LeaveOutUnused(string ptx)
    {
        string[] lines = ptx.Split('\n');
        Dictionary<string, string> addresses = [];
        foreach (string line in lines) if (Address().Match(line) is { Success: true } address) addresses[address.Groups[1].Value] = address.Groups[2].Value;
        HashSet<string> unused = [.. addresses.Values];
        foreach (string line in Run(lines))
        {
            if (Address().IsMatch(line)) continue;
            foreach (Match register in Register().Matches(line)) if (addresses.TryGetValue(register.Value, out string? variable)) unused.Remove(variable);
        }

        return string.Join('\n', lines
            .Where(line => !(Variable().Match(line) is { Success: true } variable && unused.Contains(variable.Groups[1].Value)))
            .Select(line => Address().Match(line) is { Success: true } address && unused.Contains(address.Groups[2].Value) ? $"\tmov.b64\t{address.Groups[1].Value}, 0;" : line));
    }

    // Lines that may run: what stands between a branch that is always taken and the next label does not.
    private static IEnumerable<string> Run(string[] lines)
    {
        bool runs = true;
        string condition = "";
        foreach (string line in lines)
        {
            if (Label().IsMatch(line)) runs = true;
            if (runs) yield return line;
            if (Taken().Match(line) is { Success: true } branch && branch.Groups[1].Value == condition) runs = false;
            condition = True().Match(line) is { Success: true } always ? always.Groups[1].Value : "";
        }
    }

    [GeneratedRegex(@"^\s*\.shared \.align \d+ \.b8 (__shared_alloca\d+)\[\d+\];")]
    private static partial Regex Variable();

    [GeneratedRegex(@"^\s*mov\.b64\s+(%rd\d+), (__shared_alloca\d+);")]
    private static partial Regex Address();

    [GeneratedRegex(@"%rd\d+\b")]
    private static partial Regex Register();

    [GeneratedRegex(@"^\s*mov\.pred\s+(%p\d+), 1;")]
    private static partial Regex True();

    [GeneratedRegex(@"^\s*@(%p\d+) bra(?:\.uni)?\s+\w+;")]
    private static partial Regex Taken();

    [GeneratedRegex(@"^\s*\w+:\s*$")]
    private static partial Regex Label();
}
