using System.Text;
using System.Text.RegularExpressions;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Makes the package's OpenCL C right, and fit compilers. Its text is blocks, a label each, that end in one <c>goto</c> or in two with a condition.
/// Source: Khronos, "The OpenCL C Specification" 3.0, sections 6.15.8 (work_group_barrier) and 6.15.12.5 (atomic_work_item_fence); Briggs et al. 1998, "Practical Improvements to the Construction and Destruction of Static Single
/// Assignment Form" (the lost copy).
/// </summary>
internal static partial class ClSource
{
    /// <param name="source">A module of one kernel.</param>
    public static string Fit(string source)
    {
        // Local memory is what kernels have barriers for; and a fence, which one thread may come to alone, is none.
        string text = source.Replace("barrier ( CLK_GLOBAL_MEM_FENCE )", "barrier ( CLK_GLOBAL_MEM_FENCE | CLK_LOCAL_MEM_FENCE )", StringComparison.Ordinal)
            .Replace("work_group_barrier ( CLK_GLOBAL_MEM_FENCE ,  memory_scope_device )", "atomic_work_item_fence ( CLK_GLOBAL_MEM_FENCE, memory_order_acq_rel, memory_scope_device )", StringComparison.Ordinal);
        return SetOnTheWay(Decide(text));
    }

    /// <summary>Takes out branches that are decided, such as those between PTX and plain code, which the package leaves in: some compilers copy all that follows a barrier in a branch.</summary>
    private static string Decide(string text)
    {
        Dictionary<string, bool> decided = [];
        foreach (Match match in Comparisons().Matches(text)) decided[match.Groups["name"].Value] = match.Groups["left"].Value == match.Groups["right"].Value == (match.Groups["sign"].Value == "=");
        return Branches().Replace(text, match => decided.TryGetValue(match.Groups["name"].Value, out bool isTrue) ? $"\t goto {match.Groups[isTrue ? "yes" : "no"].Value};" : match.Value);
    }

    /// <summary>
    /// A variable that a block finds set by the one before it is set there before the branch, though the other way may still need what it was. Here it is set on the way to the block that
    /// finds it: the one that follows each block that sets it.
    /// </summary>
    private static string SetOnTheWay(string text)
    {
        string[] blocks = Labels().Split(text);
        Dictionary<string, HashSet<string>> homes = [];
        foreach (string block in blocks)
        {
            HashSet<string> next = [.. Jumps().Matches(block).Select(match => match.Groups[1].Value)];
            foreach (Match copy in Copies().Matches(block))
                if (!homes.TryAdd(copy.Groups[1].Value, [.. next])) homes[copy.Groups[1].Value].IntersectWith(next);
        }

        return string.Concat(blocks.Select(block => LastCopies().Replace(block, match => Split(match, homes))));
    }

    private static string Split(Match match, Dictionary<string, HashSet<string>> homes)
    {
        string yes = match.Groups["yes"].Value, no = match.Groups["no"].Value;
        StringBuilder before = new(), onYes = new(), onNo = new();
        foreach (Match copy in Copies().Matches(match.Groups["copies"].Value))
        {
            HashSet<string> home = homes[copy.Groups[1].Value];
            bool isYes = home.Contains(yes), isNo = home.Contains(no);
            (isYes == isNo ? before : isYes ? onYes : onNo).Append(copy.Value);
        }

        return $"{before}\tif ({match.Groups["name"].Value}) {{\n{onYes}\t goto {yes}; }}\n{onNo}\t goto {no};";
    }

    // A variable is set once where it is the result of a comparison.
    [GeneratedRegex(@"^\t(?<name>var\d+) = \(int\) (?<left>\d+) (?<sign>[!=])= \(int\) (?<right>\d+);", RegexOptions.Multiline)]
    private static partial Regex Comparisons();

    [GeneratedRegex(@"^\tif \((?<name>var\d+)\)\s+goto (?<yes>L_\d+);\s+goto (?<no>L_\d+);", RegexOptions.Multiline)]
    private static partial Regex Branches();

    [GeneratedRegex(@"(?=^\tL_\d+: ;)", RegexOptions.Multiline)]
    private static partial Regex Labels();

    [GeneratedRegex(@"\bgoto (L_\d+);")]
    private static partial Regex Jumps();

    [GeneratedRegex(@"^\t(var\d+) = -?[\w.]+;\n", RegexOptions.Multiline)]
    private static partial Regex Copies();

    [GeneratedRegex(@"(?<copies>(?:^\tvar\d+ = -?[\w.]+;\n)+)\tif \((?<name>var\d+)\)\s+goto (?<yes>L_\d+);\s+goto (?<no>L_\d+);", RegexOptions.Multiline)]
    private static partial Regex LastCopies();
}
