using System.Text;
using System.Text.RegularExpressions;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Takes out of a kernel what a card never runs: the plain code beside each piece of PTX, behind a condition that is always true. What is left of the branches around each piece goes too: a run of
/// instructions that only one other goes on to is put behind it. The assembler would find both by itself, but too late to keep the addresses of neighbouring loads together.
/// </summary>
internal static partial class PtxBlocks
{
    /// <param name="ptx">A module of one kernel.</param>
    public static string Join(string ptx)
    {
        int begin = ptx.IndexOf("\n{", ptx.IndexOf(".entry", StringComparison.Ordinal), StringComparison.Ordinal) + 2, end = ptx.LastIndexOf('}');
        List<(string Label, List<string> Lines)> runs = Split(AlwaysTaken().Replace(ptx[begin..end], "\n\tbra.uni\t$2;"));
        Dictionary<string, List<string>> lines = runs.ToDictionary(run => run.Label, run => run.Lines);
        Dictionary<string, int> uses = [];
        foreach (string label in Order(lines)) foreach (string target in Targets(lines[label])) uses[target] = uses.GetValueOrDefault(target) + 1;
        HashSet<string> joined = [];
        foreach (string label in Order(lines))
        {
            if (joined.Contains(label)) continue;
            List<string> own = lines[label];
            while (Jump().Match(own[^1]) is { Success: true } jump && jump.Groups[1].Value is var next && next != label && uses[next] == 1)
            {
                own.RemoveAt(own.Count - 1);
                own.AddRange(lines[next]);
                joined.Add(next);
            }
        }

        StringBuilder result = new(ptx[..begin], ptx.Length);
        foreach (string label in Order(lines))
        {
            if (label.Length != 0) result.Append("\n\t").Append(label).Append(':');
            foreach (string line in lines[label]) result.Append('\n').Append(line);
            result.Append('\n');
        }

        return result.Append(ptx, end, ptx.Length - end).ToString();
    }

    // From label to label or to a branch that is always taken; what no label leads to is left out. Each goes on somewhere by a branch or ends.
    private static List<(string Label, List<string> Lines)> Split(string body)
    {
        List<(string Label, List<string> Lines)> runs = [("", [])];
        bool isOpen = true;
        foreach (string line in body.Split('\n').Where(line => !string.IsNullOrWhiteSpace(line)))
        {
            if (Label().Match(line) is { Success: true } label)
            {
                if (isOpen) runs[^1].Lines.Add($"\tbra.uni\t{label.Groups[1].Value};");
                runs.Add((label.Groups[1].Value, []));
                isOpen = true;
            }
            else if (isOpen)
            {
                runs[^1].Lines.Add(line);
                isOpen = !Ends().IsMatch(line);
            }
        }

        if (isOpen) runs[^1].Lines.Add("\tret;");
        return runs;
    }

    // Those that are reached from the beginning, each behind those that all ways to it lead through.
    private static List<string> Order(Dictionary<string, List<string>> lines)
    {
        List<string> order = [];
        HashSet<string> seen = [""];
        Stack<(string Label, Queue<string> Left)> way = new();
        way.Push(("", new(Targets(lines[""]))));
        while (way.TryPeek(out (string Label, Queue<string> Left) run))
        {
            if (!run.Left.TryDequeue(out string? next)) order.Add(way.Pop().Label);
            else if (seen.Add(next)) way.Push((next, new(Targets(lines[next]))));
        }

        order.Reverse();
        return order;
    }

    private static IEnumerable<string> Targets(List<string> lines) => lines.Select(line => Branch().Match(line)).Where(branch => branch.Success).Select(branch => branch.Groups[1].Value);

    [GeneratedRegex(@"\n\s*mov\.pred\s+(%p\d+), 1;\n\s*@\1 bra(?:\.uni)?\s+(\w+);")]
    private static partial Regex AlwaysTaken();

    [GeneratedRegex(@"^\s*(\w+):\s*$")]
    private static partial Regex Label();

    [GeneratedRegex(@"^\s*(?:bra(?:\.uni)?\s+\w+|ret|exit);")]
    private static partial Regex Ends();

    [GeneratedRegex(@"^\s*bra(?:\.uni)?\s+(\w+);")]
    private static partial Regex Jump();

    [GeneratedRegex(@"^\s*(?:@!?%p\d+ )?bra(?:\.uni)?\s+(\w+);")]
    private static partial Regex Branch();
}
