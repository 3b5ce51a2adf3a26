using System.Globalization;
using System.Text;
using Quern.Benchmarks.Limits;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Benchmarks.Kernels;

/// <summary>
/// A roofline as SVG: operations a second over operations for each byte of weights, both axes logarithmic; the roof is what the machine reads and multiplies, measured in the same run, and
/// each format has a point for every number of tokens of <see cref="LinearLayers"/>. Source: Williams, Waterman and Patterson 2009, "Roofline: an insightful visual performance model".
/// </summary>
internal static class Roofline
{
    private const double Width = 720, Height = 440, Left = 64, Top = 36, Right = 120, Bottom = 52;
    private const double LeastX = 1, MostX = 100, LeastY = 1e10, MostY = 4e12;
    private static readonly string[] Colours = ["#3366cc", "#dc3912", "#109618", "#990099", "#ff9900"];

    /// <summary>Measures and writes the picture.</summary>
    public static int Write(string path, IReadOnlyList<string> names, int threads)
    {
        using ThreadTeam team = new(threads);
        // The best of several looks: a roof is what can be had, and the first look wakes threads and wide units up.
        double products = Enumerable.Range(0, 9).Max(_ => MachineLimits.HasByteProducts ? MachineLimits.ByteProductsPerSecond(team) : MachineLimits.MultiplyAddsPerSecond(team));
        List<LinearLayers.Result> results = [];
        foreach (string name in names)
        {
            Console.Error.WriteLine($"measuring {name}");
            results.Add(LinearLayers.Measure(FormatTable.Find(name) ?? throw new ArgumentException($"'{name}' is no weight format"), team));
        }

        double read = results.Average(result => result.ReadBytesPerSecond);
        File.WriteAllText(path, Draw(results, read, products, $"{Isa.Name}, {threads} threads: linear layers of the Llama-3.2-1B shape"));
        return 0;
    }

    private static string Draw(List<LinearLayers.Result> results, double read, double products, string title)
    {
        StringBuilder svg = new();
        Add(svg, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"11\">");
        Add(svg, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"#fff\"/><text x=\"{Left}\" y=\"20\" font-size=\"13\">{title}</text>");
        foreach (double x in (double[])[1, 2, 5, 10, 20, 50, 100])
            Add(svg, $"<path d=\"M{X(x):f1} {Top}V{Height - Bottom}\" stroke=\"#ddd\"/><text x=\"{X(x):f1}\" y=\"{Height - Bottom + 15}\" text-anchor=\"middle\">{x}</text>");
        foreach (double y in (double[])[1e10, 1e11, 1e12])
            Add(svg, $"<path d=\"M{Left} {Y(y):f1}H{Width - Right}\" stroke=\"#ddd\"/><text x=\"{Left - 6}\" y=\"{Y(y) + 4:f1}\" text-anchor=\"end\">{y / 1e9:f0}</text>");
        Add(svg, $"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 14}\" text-anchor=\"middle\">operations for each byte of weights</text>");
        Add(svg, $"<text transform=\"translate(16 {Height / 2}) rotate(-90)\" text-anchor=\"middle\">Gop/s</text>");
        double ridge = products / read;
        Add(svg, $"<path d=\"M{X(LeastX):f1} {Y(LeastX * read):f1}L{X(ridge):f1} {Y(products):f1}H{Width - Right}\" stroke=\"#222\" stroke-width=\"2\" fill=\"none\"/>");
        Add(svg, $"<text x=\"{Width - Right + 4}\" y=\"{Y(products) + 4:f1}\">{products / 1e9:f0} Gop/s</text><text x=\"{X(1.1):f1}\" y=\"{Y(1.6 * read):f1}\">{read / 1e9:f1} GB/s</text>");
        for (int i = 0; i < results.Count; i++)
        {
            LinearLayers.Result result = results[i];
            string colour = Colours[i % Colours.Length];
            Add(svg, $"<text x=\"{Width - Right + 4}\" y=\"{Height - Bottom - (14 * (results.Count - i))}\" fill=\"{colour}\">{result.Format}</text>");
            foreach ((int tokens, double seconds) in result.Times)
            {
                double operations = 2.0 * result.Weights * tokens;
                Add(svg, $"<circle cx=\"{X(operations / result.Bytes):f1}\" cy=\"{Y(operations / seconds):f1}\" r=\"4\" fill=\"{colour}\"><title>{result.Format}, {tokens} tokens: {operations / seconds / 1e9:f0} Gop/s</title></circle>");
            }
        }

        svg.Append("</svg>\n");
        return svg.ToString();
    }

    private static double X(double value) => Left + (Math.Log(value / LeastX) / Math.Log(MostX / LeastX) * (Width - Left - Right));

    private static double Y(double value) => Height - Bottom - (Math.Log(value / LeastY) / Math.Log(MostY / LeastY) * (Height - Top - Bottom));

    private static void Add(StringBuilder svg, FormattableString line) => svg.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
