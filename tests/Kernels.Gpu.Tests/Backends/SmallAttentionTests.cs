using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Tests.Backends;

namespace Quern.Kernels.Gpu.Tests.Backends;

/// <summary>Attention over the ends of pages and of two sequences, in sizes that can be simulated.</summary>
public sealed class SmallAttentionTests : DeviceTests
{
    [Theory]
    [InlineData(KvType.F16, KvType.F16, 32, 0, 0f)]
    [InlineData(KvType.Q8_0, KvType.Q8_0, 32, 0, 0f)]
    [InlineData(KvType.F32, KvType.Q4_0, 32, 20, 5f)]
    [InlineData(KvType.BF16, KvType.F32, 20, 0, 0f)]
    public void TwoSequencesOverPages(KvType keys, KvType values, int length, int window, float cap)
    {
        using BackendPair pair = new(new GpuBackend(Devices.Open(), ComputeMode.Fast, 64 << 20), 3);
        pair.Tested.BeginPass();
        pair.Oracle.BeginPass();
        KvLayout layout = new([new KvLayer(1, length, length)], keys, values, 4);
        using KvCache tested = pair.Tested.CreateKvCache(layout), oracle = pair.Oracle.CreateKvCache(layout);
        int[][] tables = [[2, 0], [3]], counts = [[33, 1], [2, 3]];
        int[] lengths = new int[2];
        Batch batch = new(40, 2);
        AttentionOptions options = new(2, 1 / MathF.Sqrt(length), cap, window);
        for (int step = 0; step < 2; step++)
        {
            batch.Clear();
            for (int s = 0; s < 2; s++)
            {
                batch.Add(new int[counts[s][step]], lengths[s], tables[s]);
                lengths[s] += counts[s][step];
            }

            int n = batch.TokenCount;
            var q = pair.Values(n, 2 * length, 2);
            var k = pair.Values(n, length);
            var v = pair.Values(n, length);
            var y = pair.Empty(n, 2 * length);
            pair.Tested.StoreKv(k.Tested, v.Tested, batch, 0, tested);
            pair.Oracle.StoreKv(k.Oracle, v.Oracle, batch, 0, oracle);
            pair.Tested.Attention(q.Tested, batch, 0, tested, options, y.Tested);
            pair.Oracle.Attention(q.Oracle, batch, 0, oracle, options, y.Oracle);
            pair.AssertClose(y.Tested, y.Oracle, 3e-4);
        }
    }

    [Theory]
    [InlineData(KvType.F16, KvType.Q8_0, 0, 0f)]
    [InlineData(KvType.Q4_0, KvType.F32, 4, 8f)]
    public void ATreeAndWhatIsKeptOfIt(KvType keys, KvType values, int window, float alibi)
    {
        using BackendPair pair = new(new GpuBackend(Devices.Open(), ComputeMode.Fast, 64 << 20), 4);
        pair.Tested.BeginPass();
        pair.Oracle.BeginPass();
        KvLayout layout = new([new KvLayer(1, 32, 32)], keys, values, 3);
        using KvCache tested = pair.Tested.CreateKvCache(layout), oracle = pair.Oracle.CreateKvCache(layout);
        int[] table = [2, 0];
        Batch batch = new(40);
        batch.Add(new int[29], 0, table);
        Step();
        batch.Clear();
        batch.AddTree(new int[6], [0b1, 0b11, 0b101, 0b1011, 0b10101, 0b110101], 29, 29, table);
        Step();
        foreach (KvCache cache in new[] { tested, oracle }) cache.Move(table, [29, 31, 33, 34], 29);
        batch.Clear();
        batch.Add(new int[1], 33, table);
        Step();

        void Step()
        {
            int n = batch.TokenCount;
            var q = pair.Values(n, 64, 2);
            var k = pair.Values(n, 32);
            var v = pair.Values(n, 32);
            var y = pair.Empty(n, 64);
            AttentionOptions options = new(2, 0.2f, 0, window) { AlibiMaxBias = alibi };
            pair.Tested.StoreKv(k.Tested, v.Tested, batch, 0, tested);
            pair.Oracle.StoreKv(k.Oracle, v.Oracle, batch, 0, oracle);
            pair.Tested.Attention(q.Tested, batch, 0, tested, options, y.Tested);
            pair.Oracle.Attention(q.Oracle, batch, 0, oracle, options, y.Oracle);
            pair.AssertClose(y.Tested, y.Oracle, 3e-4);
        }
    }
}
