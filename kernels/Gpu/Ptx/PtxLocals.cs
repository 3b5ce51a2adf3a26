using System.Text;
using System.Text.RegularExpressions;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Takes results of inline PTX out of local memory. The package declares a variable of local memory for each, and the assembler makes registers of them, except in kernels that
/// copy to shared memory behind the threads' back (<c>cp.async</c>), which it takes for possible readers. A variable that is only stored and loaded as a whole becomes a register here.
/// </summary>
internal static partial class PtxLocals
{
    /// <param name="ptx">A module of one kernel.</param>
    public static string Promote(string ptx)
    {
        // Variables of one number and the registers that hold their addresses, each set once.
        Dictionary<string, int> sizes = [];
        foreach (Match match in Variables().Matches(ptx)) sizes[match.Groups[1].Value] = int.Parse(match.Groups[2].Value, System.Globalization.CultureInfo.InvariantCulture);
        Dictionary<string, string> variables = [];
        foreach (Match match in Addresses().Matches(ptx))
            if (sizes.TryGetValue(match.Groups[2].Value, out int size) && size is 4 or 8) variables[match.Groups[1].Value] = match.Groups[2].Value;
        foreach (string line in ptx.Split('\n'))
        {
            Match access = Access().Match(line);
            foreach (Match register in Registers().Matches(line))
            {
                if (!variables.TryGetValue(register.Value, out string? variable) || Addresses().IsMatch(line)) continue;
                if (!access.Success || access.Groups["address"].Value != register.Value || access.Groups["value"].Value == register.Value || Bytes(access) != sizes[variable])
                    variables.Remove(register.Value);
            }
        }

        StringBuilder result = new(ptx.Length);
        HashSet<string> promoted = [.. variables.Values];
        foreach (string line in ptx.Split('\n'))
        {
            Match declared = Variables().Match(line), address = Addresses().Match(line), access = Access().Match(line);
            if (declared.Success && promoted.Contains(declared.Groups[1].Value)) result.Append($"\t.reg .b{8 * sizes[declared.Groups[1].Value]} {Name(declared.Groups[1].Value)};");
            else if (address.Success && promoted.Contains(address.Groups[2].Value)) result.Append('\t');
            else if (access.Success && variables.TryGetValue(access.Groups["address"].Value, out string? variable)) result.Append(Move(access, Name(variable)));
            else result.Append(line);
            result.Append('\n');
        }

        result.Length--;
        return result.ToString();
    }

    private static string Name(string variable) => variable.Replace("__local_depot", "local", StringComparison.Ordinal);

    private static int Bytes(Match access) => int.Parse(access.Groups["bits"].Value, System.Globalization.CultureInfo.InvariantCulture) / 8;

    private static string Move(Match access, string register)
    {
        (string bits, string value) = (access.Groups["bits"].Value, access.Groups["value"].Value);
        return access.Groups["kind"].Value == "st" ? $"\tmov.b{bits}\t{register}, {value};" : $"\tmov.b{bits}\t{value}, {register};";
    }

    [GeneratedRegex(@"^\s*\.local \.align \d+ \.b8 (__local_depot\d+)\[(\d+)\];", RegexOptions.Multiline)]
    private static partial Regex Variables();

    [GeneratedRegex(@"^\s*mov\.b64\s+(%rd\d+), (__local_depot\d+);", RegexOptions.Multiline)]
    private static partial Regex Addresses();

    [GeneratedRegex(@"^\s*(?<kind>ld|st)\.local\.[bfsu](?<bits>\d+)\s+(?:\[(?<address>%rd\d+)\], (?<value>[^;]+)|(?<value>%\w+), \[(?<address>%rd\d+)\]);")]
    private static partial Regex Access();

    [GeneratedRegex(@"%rd\d+\b")]
    private static partial Regex Registers();
}
