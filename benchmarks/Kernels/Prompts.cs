using System.Diagnostics;
using System.Globalization;
using Quern.Benchmarks.Limits;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Benchmarks.Kernels;

/// <summary>
/// The parts of a prompt of 512 tokens in the Llama-3.2-1B shape: each kind of linear layer with its weights from memory, and attention, as rates and as parts of what the machine's best
/// product instruction does in the same run. Parts and the limit take turns; medians.
/// </summary>
internal static unsafe class Prompts
{
    private const int Layers = 16, Rounds = 7, Tokens = 512, Width = 2048, Hidden = 8192, Heads = 32, KvHeads = 8, HeadLength = 64;

    private static readonly (string Name, int[] Rows, int Cols)[] Parts =
        [("q, k, v", [Width, KvHeads * HeadLength, KvHeads * HeadLength], Width), ("output", [Width], Width), ("gate, up", [Hidden, Hidden], Width), ("down", [Width], Hidden)];

    /// <summary>Prints a Markdown table.</summary>
    public static int Print(IReadOnlyList<string> names, int threads)
    {
        using ThreadTeam team = new(threads);
        Console.WriteLine($"{Isa.Name}, {threads} threads, {Tokens} tokens; medians of {Rounds} rounds over {Layers} layers\n");
        Console.WriteLine($"| weights | {string.Join(" | ", Parts.Select(part => $"{part.Name}, ms"))} | all, ms | Gop/s | of the limit | attention, ms | tok/s without the rest |");
        Console.WriteLine($"| --- {string.Concat(Parts.Select(_ => "| ---: "))}| ---: | ---: | ---: | ---: | ---: |");
        foreach (string name in names)
        {
            if (FormatTable.Find(name) is not { } format)
            {
                Console.Error.WriteLine($"prompts: '{name}' is no weight format; expected one of {string.Join(", ", FormatTable.All.Select(known => known.Info.Name))}");
                return 1;
            }

            Measure(format, team, bytes: false);
            if (Isa.HasAvx512Vnni) Measure(format, team, bytes: true);
        }

        return 0;
    }

    private static void Measure(WeightFormat format, ThreadTeam team, bool bytes)
    {
        using CpuBackend backend = new(team, bytePrompts: bytes);
        using BoundMatrices matrices = new(backend, format);
        WeightMatrix[][][] parts = [.. Parts.Select(part => Enumerable.Range(0, Layers).Select(_ => part.Rows.Select(rows => matrices.Add(rows, part.Cols)).ToArray()).ToArray())];
        using KvCache cache = backend.CreateKvCache(new KvLayout([new KvLayer(KvHeads, HeadLength, HeadLength)], KvType.F16, KvLayout.PagesFor(Tokens)));
        Batch batch = new(Tokens, 1);
        batch.Add(new int[Tokens], 0, [.. Enumerable.Range(0, KvLayout.PagesFor(Tokens))]);
        List<double>[] times = [.. Enumerable.Range(0, Parts.Length + 2).Select(_ => new List<double>())];
        for (int round = 0; round <= Rounds; round++)
        {
            double[] seconds = [.. parts.Select(part => Pass(backend, part)), Attend(backend, batch, cache), MachineLimits.BestProductsPerSecond(team)];
            for (int i = 0; i < times.Length && round > 0; i++) times[i].Add(seconds[i]); // the first round assembles and compiles
        }

        double[] medians = [.. times.Select(list => list.Order().ElementAt(Rounds / 2))];
        double all = medians.Take(Parts.Length).Sum(), operations = 2.0 * Tokens * Layers * Parts.Sum(part => part.Rows.Sum(rows => (double)rows * part.Cols));
        string each = string.Join(" | ", medians.Take(Parts.Length).Select(seconds => (seconds * 1e3).ToString("f0", CultureInfo.InvariantCulture)));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {format.Info.Name}{(bytes ? ", int8" : "")} | {each} | {all * 1e3:f0} | {operations / all / 1e9:f0} | {100 * operations / all / medians[^1]:f0} % | {medians[^2] * 1e3:f0} | {Tokens / (all + medians[^2]):f0} |"));
    }

    private static double Pass(CpuBackend backend, WeightMatrix[][] layers)
    {
        backend.BeginPass();
        Tensor x = Values(backend, layers[0][0].Cols);
        Tensor[] y = [.. layers[0].Select(matrix => backend.Take(Tokens, matrix.Rows))];
        long start = Stopwatch.GetTimestamp();
        foreach (WeightMatrix[] matrices in layers) backend.MatMul(x, [.. matrices.Select((matrix, i) => new Product(matrix, null, y[i]))]);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Attend(CpuBackend backend, Batch batch, KvCache cache)
    {
        backend.BeginPass();
        Tensor queries = Values(backend, Heads * HeadLength), keys = Values(backend, KvHeads * HeadLength), y = backend.Take(Tokens, Heads * HeadLength);
        long start = Stopwatch.GetTimestamp();
        for (int layer = 0; layer < Layers; layer++)
        {
            backend.StoreKv(keys, keys, batch, 0, cache);
            backend.Attention(queries, batch, 0, cache, new AttentionOptions(Heads, 0.125f), y);
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static Tensor Values(CpuBackend backend, int cols)
    {
        Tensor x = backend.Take(Tokens, cols);
        for (int t = 0; t < Tokens; t++)
            for (int i = 0; i < cols; i++) x.Row(t)[i] = ((((t + i) * 7919) % 201) - 100) / 100f;
        return x;
    }
}
