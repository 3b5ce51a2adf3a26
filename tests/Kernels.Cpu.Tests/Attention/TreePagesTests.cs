namespace Quern.Kernels.Cpu.Tests.Attention;

/// <summary>A token of a tree gets what it gets in its text alone, to the bit: else a greedy choice between two tokens that are nearly as likely could change.</summary>
public sealed class TreePagesTests
{
    private const int Heads = 6, KvHeads = 2, Length = 32, Before = 71;

    [Theory]
    [InlineData(KvType.F32, 0, 0)]
    [InlineData(KvType.F16, 0, 8)]
    [InlineData(KvType.BF16, 9, 0)]
    [InlineData(KvType.Q8_0, 0, 0)]
    [InlineData(KvType.Q4_0, 40, 8)]
    [InlineData(KvType.F16, 66, 0)]
    public void A_way_through_a_tree_is_a_text(KvType type, int window, float alibi)
    {
        Random random = new(5);
        AttentionOptions options = new(Heads, 0.2f, 0, window) { AlibiMaxBias = alibi };
        using ThreadTeam team = new(2);
        using CpuBackend backend = new(team);
        using KvCache cache = backend.CreateKvCache(new KvLayout([new KvLayer(KvHeads, Length, Length)], type, 8));
        int[] table = [5, 2, 7, 0, 1];
        float[][] queries = Rows(random, Heads), keys = Rows(random, KvHeads), values = Rows(random, KvHeads);
        ulong[] seen = new ulong[Batch.TreeTokens];
        seen[0] = 1;
        for (int i = 1; i < seen.Length; i++) seen[i] = seen[random.Next(Math.Max(0, i - 5), i)] | (1UL << i);

        Batch batch = new(160);
        batch.Add(new int[Before], 0, table);
        Run(Enumerable.Range(0, Before));
        batch.Clear();
        batch.AddTree(new int[seen.Length], seen, Before, Before, table);
        float[][] tree = Run(Enumerable.Range(Before, seen.Length));
        foreach (int token in new[] { 0, 1, 17, 40, 63 })
        {
            // The same one token after the other.
            int slot = Before;
            foreach (int ancestor in Enumerable.Range(0, token + 1).Where(i => ((seen[token] >> i) & 1) == 1))
            {
                batch.Clear();
                batch.Add(new int[1], slot++, table);
                Assert.Equal(Run([Before + ancestor])[0], tree[ancestor]);
            }
        }

        float[][] Run(IEnumerable<int> rows)
        {
            backend.BeginPass();
            Tensor q = Fill(queries, rows), k = Fill(keys, rows), v = Fill(values, rows), y = backend.Take(q.Rows, Heads * Length);
            backend.StoreKv(k, v, batch, 0, cache);
            backend.Attention(q, batch, 0, cache, options, y);
            return [.. Enumerable.Range(0, y.Rows).Select(row => y.Row(row).ToArray())];
        }

        Tensor Fill(float[][] source, IEnumerable<int> rows)
        {
            int[] chosen = [.. rows];
            Tensor x = backend.Take(chosen.Length, source[0].Length);
            for (int i = 0; i < chosen.Length; i++) source[chosen[i]].CopyTo(x.Row(i));
            return x;
        }
    }

    private static float[][] Rows(Random random, int heads) =>
        [.. Enumerable.Range(0, Before + Batch.TreeTokens).Select(_ => Enumerable.Range(0, heads * Length).Select(_ => (float)((2 * random.NextDouble()) - 1)).ToArray())];
}
