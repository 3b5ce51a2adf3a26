namespace Quern.Kernels.Cpu.Tests.Backends;

/// <summary>Attention of tokens that are several continuations of a text, and what is kept of them.</summary>
public abstract partial class BackendSuite
{
    [Theory]
    [InlineData(KvType.F32, KvType.F32, 4, 4, 16, 16, 0, 0f, 0f, 0, false)]
    [InlineData(KvType.F32, KvType.F32, 6, 3, 20, 12, 5, 0f, 8f, 0, false)]
    [InlineData(KvType.F32, KvType.F32, 4, 2, 24, 24, 0, 0f, 0f, 20, true)]
    [InlineData(KvType.F16, KvType.F16, 8, 2, 64, 64, 3, 30f, 0f, 0, true)]
    [InlineData(KvType.F16, KvType.F16, 8, 8, 64, 48, 40, 0f, 8f, 24, false)]
    [InlineData(KvType.BF16, KvType.F16, 4, 1, 32, 32, 0, 0f, 0f, 0, false)]
    [InlineData(KvType.Q8_0, KvType.Q8_0, 8, 2, 64, 64, 0, 0f, 0f, 0, false)]
    [InlineData(KvType.Q4_0, KvType.F32, 2, 2, 64, 16, 0, 0f, 0f, 0, false)]
    [InlineData(KvType.Q8_0, KvType.Q4_0, 8, 2, 96, 32, 17, 0f, 8f, 0, true)]
    public void TokensOfATreeSeeTheirAncestors(
        KvType keyType, KvType valueType, int heads, int kvHeads, int keyLength, int valueLength, int window, float cap, float alibi, int reach, bool sinks)
    {
        foreach (ComputeMode mode in Enum.GetValues<ComputeMode>())
        {
            Check(13, mode, pair =>
            {
                if (!TakesAttention) return;
                KvLayout layout = new([new KvLayer(kvHeads, keyLength, valueLength)], keyType, valueType, 12);
                using KvCache tested = pair.Tested.CreateKvCache(layout), oracle = pair.Oracle.CreateKvCache(layout);
                int[][] tables = [[7, 2, 9, 0, 5, 10, 1], [11, 4, 6]];
                int[] lengths = [60, 9];
                Random random = new(17);
                AttentionOptions options = new(heads, 1 / MathF.Sqrt(keyLength), cap, window) { AlibiMaxBias = alibi };
                var biases = reach == 0 ? default : pair.Biases(heads, reach);
                var sink = sinks ? pair.Vector(heads) : default;
                Batch batch = new(160, 2);
                batch.Add(new int[lengths[0]], 0, tables[0]);
                batch.Add(new int[lengths[1]], 0, tables[1]);
                Step();
                for (int round = 0; round < 3; round++)
                {
                    // The first sequence has a tree in two passes, the last time the largest; the other goes on beside it, then has one too.
                    ulong[] seen = RandomTree(random, round == 2 ? Batch.TreeTokens : 10 + (3 * round));
                    int first = random.Next(1, seen.Length);
                    batch.Clear();
                    batch.AddTree(new int[first], seen.AsSpan(0, first), lengths[0], lengths[0], tables[0]);
                    batch.Add(new int[2], lengths[1], tables[1]);
                    lengths[1] += 2;
                    Step();
                    batch.Clear();
                    batch.AddTree(new int[3], [1, 0b11, 0b101], lengths[1], lengths[1], tables[1]);
                    batch.AddTree(new int[seen.Length - first], seen.AsSpan(first), lengths[0], lengths[0] + first, tables[0]);
                    Step();

                    // The way to one of its tokens is kept; a plain token behind it sees the same in both caches.
                    ulong kept = seen[random.Next(seen.Length)];
                    int before = lengths[0];
                    int[] sources = [.. Enumerable.Range(0, seen.Length).Where(i => ((kept >> i) & 1) == 1).Select(i => before + i)];
                    foreach (KvCache cache in new[] { tested, oracle })
                    {
                        cache.Move(tables[0], sources, before);
                        cache.Move(tables[1], [lengths[1], lengths[1] + 2], lengths[1]);
                    }

                    lengths[0] += sources.Length;
                    lengths[1] += 2;
                    batch.Clear();
                    batch.Add(new int[1], lengths[0]++, tables[0]);
                    batch.Add(new int[1], lengths[1]++, tables[1]);
                    Step();
                }

                void Step()
                {
                    int n = batch.TokenCount;
                    var q = pair.Values(n, heads * keyLength);
                    var k = pair.Values(n, kvHeads * keyLength);
                    var v = pair.Values(n, kvHeads * valueLength);
                    var y = pair.Empty(n, heads * valueLength);
                    pair.Tested.StoreKv(k.Tested, v.Tested, batch, 0, tested);
                    pair.Oracle.StoreKv(k.Oracle, v.Oracle, batch, 0, oracle);
                    pair.Tested.Attention(q.Tested, batch, 0, tested, options with { RelativeBias = biases.Tested, Sinks = sink.Tested }, y.Tested);
                    pair.Oracle.Attention(q.Oracle, batch, 0, oracle, options with { RelativeBias = biases.Oracle, Sinks = sink.Oracle }, y.Oracle);
                    pair.AssertClose(y.Tested, y.Oracle, mode == ComputeMode.Exact ? Tolerance : 3e-4);
                }
            });
        }
    }

    // Masks of a random tree: each token's parent is one of those before it, the newest more often than others.
    private static ulong[] RandomTree(Random random, int tokens)
    {
        ulong[] seen = new ulong[tokens];
        seen[0] = 1;
        for (int i = 1; i < tokens; i++) seen[i] = seen[random.Next(2) == 0 ? i - 1 : random.Next(i)] | (1UL << i);
        return seen;
    }
}
