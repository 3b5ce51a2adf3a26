using BenchmarkDotNet.Attributes;
using Quern.Kernels.Cpu;

namespace Quern.Benchmarks.Kernels;

/// <summary>Attention of one layer in the Llama-3.2-1B shape behind <see cref="Depth"/> tokens, and storing the keys and values that it looks at, all threads: for one token and for a prompt, by type of the cache.</summary>
[MemoryDiagnoser]
public class AttentionBenchmarks : IDisposable
{
    private const int Heads = 32, KvHeads = 8, HeadLength = 64, Depth = 2048;

    private readonly ThreadTeam _team = new(Environment.ProcessorCount);
    private CpuBackend? _backend;
    private KvCache? _cache;
    private Batch? _batch;
    private Tensor _queries, _keys, _attended;

    [Params(1, 512)]
    public int Tokens { get; set; }

    [Params(KvType.F32, KvType.F16, KvType.BF16, KvType.Q8_0, KvType.Q4_0)]
    public KvType Cache { get; set; }

    [GlobalSetup]
    public void Take()
    {
        _backend = new CpuBackend(_team);
        int pages = KvLayout.PagesFor(Depth + Tokens);
        _cache = _backend.CreateKvCache(new KvLayout([new KvLayer(KvHeads, HeadLength, HeadLength)], Cache, pages));
        int[] table = [.. Enumerable.Range(0, pages)];
        _backend.BeginPass();
        Batch before = new(Depth);
        before.Add(new int[Depth], 0, table);
        _backend.StoreKv(Values(Depth, KvHeads), Values(Depth, KvHeads), before, 0, _cache); // memory that was never written is the same zeros everywhere
        _batch = new Batch(Tokens);
        _batch.Add(new int[Tokens], Depth, table);
        (_queries, _keys, _attended) = (Values(Tokens, Heads), Values(Tokens, KvHeads), Values(Tokens, Heads));
    }

    [Benchmark]
    public void StoreKv() => _backend!.StoreKv(_keys, _keys, _batch!, 0, _cache!);

    [Benchmark]
    public void Attention() => _backend!.Attention(_queries, _batch!, 0, _cache!, new AttentionOptions(Heads, 0.125f), _attended);

    [GlobalCleanup]
    public void Dispose()
    {
        _cache?.Dispose();
        _backend?.Dispose();
        _team.Dispose();
        GC.SuppressFinalize(this);
    }

    private Tensor Values(int tokens, int heads)
    {
        Tensor x = _backend!.Take(tokens, heads * HeadLength);
        for (int t = 0; t < tokens; t++)
            for (int i = 0; i < x.Cols; i++) x.Row(t)[i] = ((((t + i) * 7919) % 201) - 100) / 100f;
        return x;
    }
}
