using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

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

    /// <summary>One part and several, heads that leave lanes without values, sets that are not full or not whole warps. Heads that are not whole blocks stay apart.</summary>
    [Theory]
    [InlineData(4, 1, 32, 1, 40, 2)]
    [InlineData(4, 2, 64, 2, 7, 2)]
    [InlineData(2, 2, 96, 1, 70, 2)]
    [InlineData(5, 1, 128, 1, 40, 2)]
    [InlineData(8, 2, 20, 1, 40, 3)]
    [InlineData(3, 1, 64, 1, 40, 2)]
    [InlineData(1, 1, 32, 2, 40, 2)]
    public void WhatAttentionMakesIsQuantisedInItsLaunch(int heads, int kvHeads, int length, int rows, int slots, int expected)
    {
        (float[] Attended, float[] Y, int Launches) apart = Attended(heads, kvHeads, length, rows, slots, null), shared = Attended(heads, kvHeads, length, rows, slots, new StandIn());
        Assert.Equal(apart.Attended, shared.Attended);
        Assert.Equal(apart.Y, shared.Y);
        Assert.Equal(expected, shared.Launches);
    }

    [Fact]
    public void WhatAttentionDidNotMakeIsQuantisedApart() => Assert.Equal(3, Attended(4, 1, 32, 1, 40, new StandIn(), ofQueries: true).Launches);

    private unsafe (float[] Attended, float[] Y, int Launches) Attended(int heads, int kvHeads, int length, int rows, int slots, StandIn? driver, bool ofQueries = false)
    {
        const int Outputs = 8;
        using GpuBackend backend = Open(driver, out GpuDevice device);
        WeightFormat format = FormatTable.Find("Q8_0")!;
        int width = heads * length;
        byte[] blocks = new byte[format.Info.RowBytes(width) * Outputs];
        format.Quantize(Values(Outputs * width), [], blocks);
        WeightMatrix matrix;
        fixed (byte* stored = blocks) matrix = backend.BindMatrix("w", format, 1, Outputs, width, (nint)stored);
        using KvCache cache = backend.CreateKvCache(new KvLayout([new KvLayer(kvHeads, length, length)], KvType.F16, 4));
        int[] table = [3, 1, 2];
        byte[] page = new byte[cache.PageBytes];
        float[] values = Values(page.Length / 2);
        for (int i = 0; i < values.Length; i++) BitConverter.TryWriteBytes(page.AsSpan(2 * i), Float16.FromSingle(values[i]));
        foreach (int number in table) cache.WritePage(number, page);
        Batch batch = new(8);
        batch.Add(new int[rows], slots - rows, table);
        backend.BeginPass(batch);
        Tensor queries = Random(backend, rows, width), attended = backend.Take(rows, width), y = backend.Take(rows, Outputs);
        backend.Attention(queries, batch, 0, cache, new AttentionOptions(heads, 1 / MathF.Sqrt(length)), attended);
        backend.MatMul(ofQueries ? queries : attended, matrix, null, y);
        int launches = device.Steps?.Launches.Count ?? 0;
        float[] found = new float[rows * width], product = new float[rows * Outputs];
        backend.Read(attended, found);
        backend.Read(y, product);
        Assert.Contains(product, value => value != 0);
        return (found, product, launches);
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
        Tensor x = backend.Take(rows, cols);
        backend.Write(Values(rows * cols), x);
        return x;
    }

    private static float[] Values(int count)
    {
        Random random = new(count);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
    }
}
