using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu.Tests.Graphs;

/// <summary>Launches around attention that are shared: the same bits as launch by launch, and fewer launches.</summary>
public sealed class SharedAttentionTests : DeviceTests
{
    private const int Heads = 4, KvHeads = 2;

    [Theory]
    [InlineData(KvType.F32, 20, 10, RopePairing.Halves, 2)]
    [InlineData(KvType.F16, 32, 16, RopePairing.Interleaved, 1)]
    [InlineData(KvType.BF16, 24, 8, RopePairing.Interleaved, 1)]
    [InlineData(KvType.Q8_0, 96, 40, RopePairing.Halves, 3)]
    [InlineData(KvType.Q4_0, 64, 32, RopePairing.Halves, 1)]
    public void KeysAreStoredInTheLaunchThatTurnsThem(KvType type, int length, int pairs, RopePairing pairing, int rows)
    {
        (byte[] Page, float[] Qkv, int Launches) apart = Stored(type, length, pairs, pairing, rows, null), shared = Stored(type, length, pairs, pairing, rows, new StandIn());
        Assert.Equal(apart.Page, shared.Page);
        Assert.Equal(apart.Qkv, shared.Qkv);
        Assert.Equal(1, shared.Launches);
    }

    [Theory]
    [InlineData(0, 1, 2)]
    [InlineData(2, 1, 2)]
    [InlineData(1, 0, 2)]
    [InlineData(1, 1, 2)]
    [InlineData(1, 2, 1)]
    public void KeysThatWereNotTurnedOrAreValuesTooAreStoredApart(int keys, int values, int launches)
    {
        using GpuBackend backend = Open(new StandIn(), out GpuDevice device);
        KvLayout layout = new([new KvLayer(KvHeads, 32, 32)], KvType.F16, 1);
        using KvCache cache = backend.CreateKvCache(layout);
        Batch batch = new(4);
        batch.Add([0], 0, [0]);
        backend.BeginPass(batch);
        Tensor x = Random(backend, 1, 3 * KvHeads * 32), angles = Random(backend, 1, 32);
        backend.Rope(Third(0), 32, angles, RopePairing.Halves);
        backend.Rope(Third(1), 32, angles, RopePairing.Halves);
        backend.StoreKv(Third(keys), Third(values), batch, 0, cache);
        Assert.Equal(launches, device.Steps!.Launches.Count);

        Tensor Third(int i) => x.Columns(i * KvHeads * 32, KvHeads * 32);
    }

    private (byte[] Page, float[] Qkv, int Launches) Stored(KvType type, int length, int pairs, RopePairing pairing, int rows, StandIn? driver)
    {
        using GpuBackend backend = Open(driver, out GpuDevice device);
        using KvCache cache = backend.CreateKvCache(new KvLayout([new KvLayer(KvHeads, length, 32)], type, 2));
        byte[] page = new byte[cache.PageBytes];
        cache.WritePage(1, page);
        Batch batch = new(8);
        batch.Add(new int[rows], 5, [1]);
        backend.BeginPass(batch);
        int width = Heads * length, keyWidth = KvHeads * length;
        Tensor qkv = Random(backend, rows, width + keyWidth + (KvHeads * 32)), angles = Random(backend, rows, 2 * pairs), keys = qkv.Columns(width, keyWidth);
        backend.Rope(qkv.Columns(0, width), length, angles, pairing);
        backend.Rope(keys, length, angles, pairing);
        backend.StoreKv(keys, qkv.Columns(width + keyWidth, KvHeads * 32), batch, 0, cache);
        int launches = device.Steps?.Launches.Count ?? 0;
        float[] values = new float[rows * qkv.Cols];
        backend.Read(qkv, values);
        cache.ReadPage(1, page);
        return (page, values, launches);
    }

    private GpuBackend Open(StandIn? driver, out GpuDevice device)
    {
        device = Devices.Open();
        device.UseGraphs(driver);
        return new GpuBackend(device, ComputeMode.Fast, 16 << 20);
    }

    private static Tensor Random(GpuBackend backend, int rows, int cols)
    {
        Random random = new(cols);
        Tensor x = backend.Take(rows, cols);
        backend.Write([.. Enumerable.Range(0, rows * cols).Select(_ => random.NextSingle() - 0.5f)], x);
        return x;
    }
}
