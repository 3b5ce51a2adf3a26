using System.Diagnostics;
using System.Globalization;
using Quern.Kernels.Cpu;

namespace Quern.Benchmarks.Serving;

/// <summary>Attention of one token behind 4,096 in the Llama-3.2-1B shape, over pages that lie one behind the other and over the same number in a random order; they take turns, medians.</summary>
internal static class ScatteredPages
{
    private const int Depth = 4096, Layers = 16, Heads = 32, KvHeads = 8, HeadLength = 64, Rounds = 31;

    /// <summary>Prints a Markdown table.</summary>
    public static int Print(int threads)
    {
        using ThreadTeam team = new(threads);
        using CpuBackend backend = new(team);
        Console.WriteLine($"{Isa.Name}, {threads} threads; median of {Rounds} rounds\n");
        Console.WriteLine("| keys and values | pages in order, ms | scattered, ms | ratio | GB/s |\n| --- | ---: | ---: | ---: | ---: |");
        foreach (KvType type in Enum.GetValues<KvType>())
        {
            int pages = KvLayout.PagesFor(Depth + 1);
            using KvCache cache = backend.CreateKvCache(new KvLayout([.. Enumerable.Repeat(new KvLayer(KvHeads, HeadLength, HeadLength), Layers)], type, pages));
            int[] ordered = [.. Enumerable.Range(0, pages)], scattered = [.. ordered];
            new Random(1).Shuffle(scattered);
            Store(backend, cache, ordered);
            List<double> first = [], second = [];
            for (int round = 0; round <= Rounds; round++)
            {
                double a = Pass(backend, cache, ordered), b = Pass(backend, cache, scattered);
                if (round == 0) continue; // memory is touched, code compiled
                first.Add(a);
                second.Add(b);
            }

            double inOrder = Median(first), inDisorder = Median(second);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {type} | {inOrder * 1e3:f2} | {inDisorder * 1e3:f2} | {inDisorder / inOrder:f3} | {cache.Bytes / inOrder / 1e9:f1} |"));
        }

        return 0;
    }

    // Memory that was never written is the same zeros everywhere.
    private static void Store(CpuBackend backend, KvCache cache, int[] table)
    {
        const int Tokens = 128;
        Batch batch = new(Tokens);
        for (int slot = 0; slot < Depth; slot += Tokens)
        {
            backend.BeginPass();
            Tensor values = backend.Take(Tokens, KvHeads * HeadLength);
            for (int row = 0; row < Tokens; row++)
                for (int i = 0; i < values.Cols; i++) values.Row(row)[i] = ((((slot + row + i) * 7919) % 201) - 100) / 100f;
            batch.Clear();
            batch.Add(new int[Tokens], slot, table);
            for (int layer = 0; layer < Layers; layer++) backend.StoreKv(values, values, batch, layer, cache);
        }
    }

    private static double Pass(CpuBackend backend, KvCache cache, int[] table)
    {
        backend.BeginPass();
        Tensor queries = backend.Take(1, Heads * HeadLength), y = backend.Take(1, Heads * HeadLength);
        queries.Row(0).Fill(0.1f);
        Batch batch = new(1);
        batch.Add([1], Depth, table);
        long start = Stopwatch.GetTimestamp();
        for (int layer = 0; layer < Layers; layer++) backend.Attention(queries, batch, layer, cache, new AttentionOptions(Heads, 0.125f), y);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
