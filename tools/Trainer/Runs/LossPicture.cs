using System.Globalization;
using System.Text;

namespace Quern.Trainer.Runs;

/// <summary>Draws the losses of a run as SVG: every step, their running mean, and the held-out text.</summary>
internal static class LossPicture
{
    private const int Width = 900, Height = 480, Left = 64, Right = 24, Top = 40, Bottom = 48, MostPoints = 1500;

    /// <summary>The picture as text.</summary>
    /// <param name="title">A line above it.</param>
    /// <param name="records">At least one step.</param>
    public static string Draw(string title, IReadOnlyList<StepRecord> records)
    {
        StepRecord[] heldOut = [.. records.Where(record => record.HeldOut is not null)];
        IEnumerable<double> all = records.Select(record => record.Loss).Concat(heldOut.Select(record => record.HeldOut!.Value)).Where(double.IsFinite);
        double low = Math.Floor(all.DefaultIfEmpty(0).Min() * 2) / 2, high = Math.Max(low + 0.5, Math.Ceiling(all.DefaultIfEmpty(1).Max() * 2) / 2);
        int last = Math.Max(1, records[^1].Step);
        string X(double step) => Number(Left + (step / last * (Width - Left - Right)));
        string Y(double loss) => Number(Height - Bottom - ((Math.Clamp(loss, low, high) - low) / (high - low) * (Height - Top - Bottom)));
        string Line(IEnumerable<(double Step, double Loss)> points, string colour, string width) =>
            $"<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" points=\"{string.Join(' ', points.Select(p => $"{X(p.Step)},{Y(p.Loss)}"))}\"/>\n";

        StringBuilder svg = new();
        svg.Append($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"13\">\n");
        svg.Append($"<rect width=\"{Width}\" height=\"{Height}\" fill=\"white\"/>\n<text x=\"{Left}\" y=\"24\" font-size=\"15\">{Escape(title)}</text>\n");
        double step = Math.Max(0.5, Math.Ceiling((high - low) / 8 * 2) / 2);
        for (double loss = low; loss <= high + 1e-9; loss += step)
        {
            svg.Append($"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(loss)}\" y2=\"{Y(loss)}\" stroke=\"#ddd\"/>\n");
            svg.Append($"<text x=\"{Left - 8}\" y=\"{Y(loss)}\" dy=\"4\" text-anchor=\"end\">{Number(loss)}</text>\n");
        }

        for (int i = 0; i <= 4; i++)
            svg.Append($"<text x=\"{X(last * i / 4.0)}\" y=\"{Height - Bottom + 20}\" text-anchor=\"middle\">{last * (long)i / 4}</text>\n");
        svg.Append($"<text x=\"{Width / 2}\" y=\"{Height - 8}\" text-anchor=\"middle\">steps; loss in nats for a token</text>\n");
        svg.Append(Line(Thinned(records).Select(record => ((double)record.Step, record.Loss)), "#b9cdea", "1"));
        svg.Append(Line(Smooth(records), "#1f5fbf", "2"));
        svg.Append(Line(heldOut.Select(record => ((double)record.Step, record.HeldOut!.Value)), "#d1495b", "2"));
        foreach (StepRecord record in heldOut) svg.Append($"<circle cx=\"{X(record.Step)}\" cy=\"{Y(record.HeldOut!.Value)}\" r=\"2.5\" fill=\"#d1495b\"/>\n");
        svg.Append(Legend(heldOut));
        return svg.Append("</svg>\n").ToString();
    }

    private static string Legend(StepRecord[] heldOut)
    {
        int x = Width - Right - 220;
        string last = heldOut.Length == 0 ? "none yet" : Number(heldOut[^1].HeldOut!.Value, "f4");
        return $"<text x=\"{x}\" y=\"{Top + 14}\" fill=\"#1f5fbf\">training (running mean)</text>\n<text x=\"{x}\" y=\"{Top + 32}\" fill=\"#d1495b\">held out: {last}</text>\n";
    }

    private static IEnumerable<StepRecord> Thinned(IReadOnlyList<StepRecord> records)
    {
        int every = (records.Count + MostPoints - 1) / MostPoints;
        return records.Where((record, i) => i % every == 0 || i == records.Count - 1);
    }

    // A running mean over about a fiftieth of the run.
    private static IEnumerable<(double Step, double Loss)> Smooth(IReadOnlyList<StepRecord> records)
    {
        double kept = 1 - (1 / Math.Max(1, records.Count / 50.0)), mean = 0, weight = 0;
        int every = (records.Count + MostPoints - 1) / MostPoints;
        for (int i = 0; i < records.Count; i++)
        {
            mean = (kept * mean) + ((1 - kept) * records[i].Loss);
            weight = (kept * weight) + (1 - kept);
            if (i % every == 0 || i == records.Count - 1) yield return (records[i].Step, mean / weight);
        }
    }

    private static string Number(double value, string format = "0.##") => value.ToString(format, CultureInfo.InvariantCulture);

    private static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);
}
