using System.Diagnostics;
using System.Globalization;
using Quern.Benchmarks.Limits;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Benchmarks.Kernels;

/// <summary>
/// The linear layers of the Llama-3.2-1B shape (16 layers, 973 M weights, no output matrix) from memory: how long 1, 2, 4, 8 and 16 tokens at once take against one, and how near
/// one token is to what the machine reads. Formats, numbers of tokens and the limit take turns; medians.
/// </summary>
internal static class LinearLayers
{
    private const int Layers = 16, Rounds = 7;
    private static readonly (int Rows, int Cols)[] Shapes = [(2048, 2048), (512, 2048), (512, 2048), (2048, 2048), (8192, 2048), (8192, 2048), (2048, 8192)];
    private static readonly int[] Tokens = [1, 2, 4, 8, 16];

    /// <summary>What was measured of a format: seconds for each number of tokens, and bytes of its weights.</summary>
    internal sealed record Result(string Format, long Weights, long Bytes, IReadOnlyList<(int Tokens, double Seconds)> Times, double ReadBytesPerSecond);

    /// <summary>Prints a Markdown table.</summary>
    public static int Print(IReadOnlyList<string> names, int threads)
    {
        using ThreadTeam team = new(threads);
        Console.WriteLine($"{Isa.Name}, {threads} threads; median milliseconds of {Rounds} rounds, and the time against one token's\n");
        Console.WriteLine("| weights | MB | 1 token | GB/s | of the read limit | 2 | 4 | 8 | 16 |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (string name in names)
        {
            if (FormatTable.Find(name) is not { } format)
            {
                Console.Error.WriteLine($"layers: '{name}' is no weight format; expected one of {string.Join(", ", FormatTable.All.Select(known => known.Info.Name))}");
                return 1;
            }

            Result result = Measure(format, team);
            double one = result.Times[0].Seconds, speed = result.Bytes / one;
            string more = string.Join(" | ", result.Times.Skip(1).Select(time => (time.Seconds / one).ToString("f2", CultureInfo.InvariantCulture)));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {result.Format} | {result.Bytes / 1e6:f0} | {one * 1e3:f1} | {speed / 1e9:f1} | {100 * speed / result.ReadBytesPerSecond:f0} % | {more} |"));
        }

        return 0;
    }

    /// <summary>Measures a format.</summary>
    public static Result Measure(WeightFormat format, ThreadTeam team)
    {
        using CpuBackend backend = new(team);
        using BoundMatrices bound = new(backend, format);
        List<WeightMatrix> matrices = [];
        for (int layer = 0; layer < Layers; layer++)
            foreach ((int rows, int cols) in Shapes) matrices.Add(bound.Add(rows, cols));

        List<double>[] times = [.. Tokens.Select(_ => new List<double>())];
        List<double> read = [];
        for (int round = 0; round <= Rounds; round++)
        {
            double limit = MachineLimits.ReadBytesPerSecond(team) / 1e9;
            if (round > 0) read.Add(limit);
            for (int i = 0; i < Tokens.Length; i++)
            {
                double seconds = Pass(backend, matrices, Tokens[i]);
                if (round > 0) times[i].Add(seconds); // the first round assembles and compiles
            }
        }

        return new Result(
            format.Info.Name, Layers * Shapes.Sum(shape => (long)shape.Rows * shape.Cols), bound.Bytes, [.. Tokens.Zip(times, (tokens, list) => (tokens, Median(list)))], Median(read) * 1e9);
    }

    private static double Pass(CpuBackend backend, List<WeightMatrix> matrices, int tokens)
    {
        backend.BeginPass();
        Tensor x = backend.Take(tokens, 8192), y = backend.Take(tokens, 8192);
        for (int t = 0; t < tokens; t++)
            for (int i = 0; i < x.Cols; i++) x.Row(t)[i] = (((i * 7919) % 201) - 100) / 100f;
        long start = Stopwatch.GetTimestamp();
        foreach (WeightMatrix matrix in matrices) backend.MatMul(x.Columns(0, matrix.Cols), matrix, null, y.Columns(0, matrix.Rows));
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
