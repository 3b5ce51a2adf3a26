using System.Text;

namespace Quern.Cli.Output;

/// <summary>Rows of text under aligned columns, for people and for <c>grep</c>: no colours, no borders, no wrapping.</summary>
/// <param name="rightAligned">For each column, whether it is flush right (numbers).</param>
internal sealed class TextTable(params bool[] rightAligned)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells) => _rows.Add(cells);

    public void Write(TextWriter writer, string indent = "")
    {
        int[] widths = new int[rightAligned.Length];
        foreach (string[] row in _rows)
            for (int c = 0; c < row.Length; c++) widths[c] = Math.Max(widths[c], row[c].Length);
        StringBuilder line = new();
        foreach (string[] row in _rows)
        {
            line.Clear().Append(indent);
            for (int c = 0; c < row.Length; c++)
            {
                if (c > 0) line.Append("  ");
                line.Append(rightAligned[c] ? row[c].PadLeft(widths[c]) : row[c].PadRight(widths[c]));
            }

            writer.WriteLine(line.ToString().TrimEnd());
        }
    }
}
