using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Attention;
using Quern.Kernels.Gpu.Ops;
using Quern.Kernels.Gpu.Tests.Machine;

namespace Quern.Kernels.Gpu.Tests.Attention;

/// <summary>Keys that are turned and stored in one launch, by groups of several warps, as its PTX says: the bits of two launches.</summary>
public sealed class StoreKvTests : DeviceTests
{
    private const int Heads = 3, KvHeads = 2, Length = 128, Rows = 2, Width = (Heads + (2 * KvHeads)) * Length;

    [Theory]
    [InlineData(64, true)]
    [InlineData(64, false)]
    [InlineData(24, false)]
    public void OneLaunchIsTwo(int pairs, bool interleaved)
    {
        (byte[] page, float[] qkv) = Run(pairs, interleaved, together: true);
        (byte[] expectedPage, float[] expected) = Run(pairs, interleaved, together: false);
        Assert.Equal(expected, qkv);
        Assert.Equal(expectedPage, page);
        Assert.Contains(page, stored => stored != 0);
    }

    private (byte[] Page, float[] Qkv) Run(int pairs, bool interleaved, bool together)
    {
        using GpuDevice device = Devices.Open(GpuKind.Simulated);
        using DeviceArena arena = new(device, 4 << 20);
        using PassInputs inputs = new(device, arena);
        using GpuKvCache cache = new(device, arena, new KvLayout([new KvLayer(KvHeads, Length, Length)], KvType.Q8_0, 1));
        byte[] page = new byte[cache.PageBytes];
        cache.WritePage(0, page);
        Batch batch = new(Rows);
        batch.Add(new int[Rows], 7, [0]);
        Random random = new(pairs);
        Tensor qkv = Take(Width), angles = Take(2 * pairs), queries = qkv.Columns(0, Heads * Length);
        Tensor keys = qkv.Columns(Heads * Length, KvHeads * Length), values = qkv.Columns((Heads + KvHeads) * Length, KvHeads * Length);
        RopeArguments turn = new(arena.Tensor(queries), arena.Tensor(angles), Length, pairs, interleaved);
        StoreArguments store = new(arena.Tensor(keys), arena.Tensor(values), cache.Keys(0), cache.Values(0), KvHeads, inputs.Require(batch));
        if (!together) PtxMachine.Run(Rope.Turn, arena, turn with { More = arena.Tensor(keys) }, ((Heads + KvHeads) * pairs / Length) + 1, Rows, Length);
        else store = store with { Turn = turn };
        PtxMachine.Run(StoreKv<KvQ8_0, KvQ8_0>.Kernel, arena, store, together ? (2 * KvHeads) + (Heads * pairs / Length) + 1 : 2 * KvHeads, Rows, Length);
        float[] result = new float[Rows * Width];
        arena.Read<float>(qkv.Address, result);
        cache.ReadPage(0, page);
        return (page, result);

        Tensor Take(int cols)
        {
            Tensor x = new(arena.Take(Rows * cols * sizeof(float), "x"), Rows, cols, cols);
            arena.Write<float>(x.Address, [.. Enumerable.Range(0, Rows * cols).Select(_ => random.NextSingle() - 0.5f)]);
            return x;
        }
    }
}
