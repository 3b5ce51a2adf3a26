using System.Globalization;
using Quern.Kernels.Cpu;

namespace Quern.Benchmarks.Gpu;

/// <summary>Attention of a layer of the Llama-3-8B shape: a token at several depths, and a prompt.</summary>
internal static class GpuAttentionNumbers
{
    public static void Print(GpuBench bench)
    {
        LlamaShape shape = bench.IsToy ? LlamaShape.Toy : LlamaShape.Llama3;
        bench.Line("");
        bench.Line($"Attention of a layer, {shape.Heads} heads over {shape.KvHeads} of {shape.HeadLength}:");
        bench.Line("");
        bench.Line("| keys and values | tokens | depth | µs | GB/s of keys and values | of a copy |");
        bench.Line("| --- | ---: | ---: | ---: | ---: | ---: |");
        foreach (KvType type in new[] { KvType.F16, KvType.Q8_0 })
        {
            foreach ((int tokens, int depth) in bench.IsToy ? [(1, 40), (3, 0)] : new[] { (1, 1024), (1, 8192), (1, 32768), (512, 0) }) One(bench, shape, type, tokens, depth);
        }
    }

    private static void One(GpuBench bench, LlamaShape shape, KvType type, int tokens, int depth)
    {
        using GpuBench own = bench.Fresh();
        int pages = KvLayout.PagesFor(depth + tokens), layers = bench.IsToy ? 1 : Math.Max(1, (int)((256L << 20) / (2L * 2 * shape.KvHeads * shape.HeadLength * Math.Max(depth, 32))));
        layers = Math.Min(layers, 64);
        using KvCache cache = own.Backend.CreateKvCache(new KvLayout([.. Enumerable.Repeat(new KvLayer(shape.KvHeads, shape.HeadLength, shape.HeadLength), layers)], type, pages));
        Batch batch = new(Math.Max(tokens, 512));
        int[] table = [.. Enumerable.Range(0, pages)];
        for (int slot = 0; slot < depth; slot += 512)
        {
            // Something to look at.
            int count = Math.Min(512, depth - slot);
            batch.Clear();
            batch.Add(new int[count], slot, table);
            own.Backend.BeginPass(batch);
            Tensor stored = own.Values(count, shape.KvHeads * shape.HeadLength);
            for (int layer = 0; layer < layers; layer++) own.Backend.StoreKv(stored, stored, batch, layer, cache);
        }

        batch.Clear();
        batch.Add(new int[tokens], depth, table);
        own.Backend.BeginPass(batch);
        Tensor kv = own.Values(tokens, shape.KvHeads * shape.HeadLength), q = own.Values(tokens, shape.Heads * shape.HeadLength), y = own.Backend.Take(tokens, shape.Heads * shape.HeadLength);
        for (int layer = 0; layer < layers; layer++) own.Backend.StoreKv(kv, kv, batch, layer, cache);
        AttentionOptions options = new(shape.Heads, 1 / MathF.Sqrt(shape.HeadLength));
        double seconds = own.Seconds(() => All(own, q, batch, cache, layers, options, y), 5) / layers;
        double bytes = 2.0 * (depth + tokens) * shape.KvHeads * shape.HeadLength * (type == KvType.F16 ? 2 : 34 / 32.0);
        bench.Line(string.Create(
            CultureInfo.InvariantCulture, $"| {type} | {tokens} | {depth} | {seconds * 1e6:f1} | {bytes / seconds / 1e9:f0} | {GpuBench.Percent(bytes / seconds, bench.CopyRate)} |"));
    }

    private static void All(GpuBench bench, Tensor q, Batch batch, KvCache cache, int layers, AttentionOptions options, Tensor y)
    {
        for (int layer = 0; layer < layers; layer++) bench.Backend.Attention(q, batch, layer, cache, options, y);
    }
}
