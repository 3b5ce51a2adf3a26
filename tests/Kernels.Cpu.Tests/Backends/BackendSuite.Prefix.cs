namespace Quern.Kernels.Cpu.Tests.Backends;

/// <summary>Attention where sequences begin with a text that is read as a whole.</summary>
public abstract partial class BackendSuite
{
    [Theory]
    [InlineData(KvType.F32, 4, 4, 16, 16, 0f, 0f, 0)]
    [InlineData(KvType.F32, 6, 3, 20, 12, 0f, 8f, 0)]
    [InlineData(KvType.F32, 4, 4, 24, 24, 0f, 0f, 40)]
    [InlineData(KvType.F16, 8, 2, 64, 64, 30f, 0f, 0)]
    [InlineData(KvType.F16, 6, 6, 64, 48, 0f, 8f, 20)]
    [InlineData(KvType.BF16, 4, 4, 32, 32, 0f, 0f, 16)]
    [InlineData(KvType.Q8_0, 8, 8, 64, 64, 0f, 0f, 144)]
    public void AttentionOverAPrefixAndBehindIt(KvType type, int heads, int kvHeads, int keyLength, int valueLength, float cap, float alibi, int reach)
    {
        foreach (ComputeMode mode in Enum.GetValues<ComputeMode>())
        {
            Check(11, mode, pair =>
            {
                if (!TakesAttention) return;
                KvLayout layout = new([new KvLayer(kvHeads, keyLength, valueLength)], type, 14);
                using KvCache tested = pair.Tested.CreateKvCache(layout), oracle = pair.Oracle.CreateKvCache(layout);
                int[][] tables = [[7, 2, 9], [0, 11, 1, 12, 3, 5], [4, 13]];
                int[] prefixes = [41, 150, 9];
                int[][] counts = [prefixes, [5, 1, 33], [1, 20, 1]];
                int[] lengths = new int[3];
                Batch batch = new(256, 3);
                AttentionOptions options = new(heads, 1 / MathF.Sqrt(keyLength), cap) { AlibiMaxBias = alibi };
                (WeightVector Tested, WeightVector Oracle) biases = reach == 0 ? default : pair.Biases(heads, reach);
                for (int step = 0; step < counts.Length; step++)
                {
                    batch.Clear();
                    for (int s = 0; s < 3; s++)
                    {
                        batch.Add(new int[counts[step][s]], lengths[s], tables[s], prefix: prefixes[s]);
                        lengths[s] += counts[step][s];
                    }

                    int n = batch.TokenCount;
                    var q = pair.Values(n, heads * keyLength, 2);
                    var k = pair.Values(n, kvHeads * keyLength);
                    var v = pair.Values(n, kvHeads * valueLength);
                    pair.Tested.StoreKv(k.Tested, v.Tested, batch, 0, tested);
                    pair.Oracle.StoreKv(k.Oracle, v.Oracle, batch, 0, oracle);
                    foreach (bool overPrefix in step == 0 ? new[] { true } : [true, false])
                    {
                        var y = pair.Empty(n, heads * valueLength);
                        pair.Tested.Attention(q.Tested, batch, 0, tested, options with { OverPrefix = overPrefix, RelativeBias = biases.Tested }, y.Tested);
                        pair.Oracle.Attention(q.Oracle, batch, 0, oracle, options with { OverPrefix = overPrefix, RelativeBias = biases.Oracle }, y.Oracle);
                        pair.AssertClose(y.Tested, y.Oracle, mode == ComputeMode.Exact ? Tolerance : 3e-4);
                    }
                }
            });
        }
    }

    [Fact]
    public void BiasesByDistanceHoldWithoutAPrefix() => Check(12, ComputeMode.Exact, pair =>
    {
        if (!TakesAttention) return;
        KvLayout layout = new([new KvLayer(2, 16, 16)], KvType.F32, 4);
        using KvCache tested = pair.Tested.CreateKvCache(layout), oracle = pair.Oracle.CreateKvCache(layout);
        Batch batch = new(100);
        batch.Add(new int[100], 0, [3, 0, 2, 1]);
        var q = pair.Values(100, 64);
        var k = pair.Values(100, 32);
        var v = pair.Values(100, 32);
        var y = pair.Empty(100, 64);
        var biases = pair.Biases(4, 30);
        pair.Tested.StoreKv(k.Tested, v.Tested, batch, 0, tested);
        pair.Oracle.StoreKv(k.Oracle, v.Oracle, batch, 0, oracle);
        pair.Tested.Attention(q.Tested, batch, 0, tested, new AttentionOptions(4, 1) { RelativeBias = biases.Tested }, y.Tested);
        pair.Oracle.Attention(q.Oracle, batch, 0, oracle, new AttentionOptions(4, 1) { RelativeBias = biases.Oracle }, y.Oracle);
        pair.AssertClose(y.Tested, y.Oracle, Tolerance);
    });
}
