using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Attention;
using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Tests.Machine;

namespace Quern.Kernels.Gpu.Tests.Attention;

/// <summary>Attention of single rows, as its PTX says, run by the machine, in parts that the last group puts together; beside attention in double precision.</summary>
public sealed class PagedAttentionTests : DeviceTests
{
    [Theory]
    [InlineData(128, 128, 4, 1, 333, 4, KvType.F16, 0, 0f, true)]
    [InlineData(128, 128, 6, 2, 200, 2, KvType.F16, 0, 0f, false)]
    [InlineData(128, 128, 2, 2, 129, 2, KvType.F16, 70, 4f, true)]
    [InlineData(64, 64, 5, 1, 100, 4, KvType.F16, 0, 0f, false)]
    [InlineData(128, 128, 4, 2, 321, 16, KvType.Q8_0, 0, 0f, false)]
    [InlineData(96, 128, 3, 1, 70, 2, KvType.F32, 0, 0f, false)]
    [InlineData(20, 12, 2, 1, 70, 1, KvType.F16, 0, 0f, false)]
    [InlineData(576, 512, 4, 1, 75, 2, KvType.F16, 0, 0f, true)]
    public void ARowAsACardComputesIt(int keyLength, int valueLength, int heads, int kvHeads, int slots, int splits, KvType type, int window, float cap, bool hasSinks)
    {
        using GpuDevice device = Devices.Open(GpuKind.Simulated);
        using DeviceArena arena = new(device, 16 << 20);
        using PassInputs inputs = new(device, arena);
        int[] table = [.. Enumerable.Range(0, KvLayout.PagesFor(slots)).Reverse()];
        using GpuKvCache cache = new(device, arena, new KvLayout([new KvLayer(kvHeads, keyLength, valueLength)], type, table.Length));
        // Slots behind the last token hold what is no number, and so do the parts before they are written.
        byte[] left = new byte[cache.PageBytes];
        left.AsSpan().Fill(0xff);
        for (int page = 0; page < table.Length; page++) cache.WritePage(page, left);
        Random random = new(slots);
        float[] k = Values(random, slots * kvHeads * keyLength), v = Values(random, slots * kvHeads * valueLength), q = Values(random, heads * keyLength), sinks = Values(random, heads);
        Batch batch = new(slots);
        batch.Add(new int[slots], 0, table);
        Fill(k, cache.Keys(0));
        Fill(v, cache.Values(0));
        batch.Clear();
        batch.Add([0], slots - 1, table);
        Tensor queries = new(arena.Take(q.Length * sizeof(float), "q"), 1, heads * keyLength, heads * keyLength);
        Tensor y = new(arena.Take(heads * valueLength * sizeof(float), "y"), 1, heads * valueLength, heads * valueLength);
        nint sink = arena.Take(heads * sizeof(float), "sinks"), counters = arena.Take(64 * sizeof(int), "counters");
        arena.Write<float>(queries.Address, q);
        arena.Write<float>(sink, sinks);
        arena.Write<int>(counters, new int[64]);
        AttentionOptions options = new(heads, 1 / MathF.Sqrt(keyLength), cap, window);
        int together = PagedAttention.HeadsTogether(heads / kvHeads, cache.Keys(0)), sets = kvHeads * ((heads / kvHeads + together - 1) / together) * ((valueLength + 255) / 256);
        int found = sets * splits * 4 * 256;
        nint parts = arena.Take((found + (sets * splits * PartsOfRow.StateLength)) * sizeof(float), "parts");
        float[] nothing = new float[found + (sets * splits * PartsOfRow.StateLength)];
        nothing.AsSpan().Fill(float.NaN);
        arena.Write<float>(parts, nothing);
        AttentionPlaces vectors = new(-1, -1, 0, hasSinks ? arena.Offset(sink) : -1, arena.Offset(parts), arena.Offset(parts) + (found * sizeof(float)), arena.Offset(counters));
        AttentionArguments arguments = new(arena.Tensor(queries), arena.Tensor(y), cache.Keys(0), cache.Values(0), inputs.Require(batch), kvHeads, options, vectors, splits);
        // Twice, since the counters have to be what they were before.
        for (int time = 0; time < 2; time++)
        {
            arena.Write<float>(y.Address, new float[heads * valueLength]);
            PtxMachine.Run(Kernel(type, keyLength > 256 ? 0 : together), arena, arguments, sets * splits, 1, 128);
            Check(time);
        }

        if (arguments.CanQuantise)
        {
            byte[] apart = Quantised(places => PtxMachine.Run(QuantiseActivations.Kernel, arena, new QuantiseArguments(arguments.Y, places, 1, 0), heads * valueLength / 32, 1, 32));
            Assert.Equal(apart, Quantised(places => PtxMachine.Run(Kernel(type, keyLength > 256 ? 0 : together), arena, arguments with { Bytes = places }, sets * splits, 1, 128)));
        }

        byte[] Quantised(Action<QuantisedPlaces> run)
        {
            byte[] bytes = new byte[heads * valueLength / 4 * 5];
            nint place = arena.Take(bytes.Length, "bytes");
            run(new QuantisedPlaces(arena.Offset(place), arena.Offset(place) + (heads * valueLength)));
            arena.Read<byte>(place, bytes);
            return bytes;
        }

        void Fill(float[] from, KvRows rows)
        {
            Tensor stored = new(arena.Take(from.Length * sizeof(float), "kv"), slots, kvHeads * rows.Length, kvHeads * rows.Length);
            arena.Write<float>(stored.Address, from);
            // Keys and values alike.
            StoreArguments store = new(arena.Tensor(stored), arena.Tensor(stored), rows, rows, kvHeads, inputs.Require(batch));
            if (type == KvType.F16) PtxMachine.Run(StoreKv<KvF16, KvF16>.Kernel, arena, store, 2 * kvHeads, slots, 32);
            else if (type == KvType.F32) PtxMachine.Run(StoreKv<KvF32, KvF32>.Kernel, arena, store, 2 * kvHeads, slots, 32);
            else PtxMachine.Run(StoreKv<KvQ8_0, KvQ8_0>.Kernel, arena, store, 2 * kvHeads, slots, 32);
        }

        void Check(int time)
        {
            float[] result = new float[heads * valueLength];
            arena.Read<float>(y.Address, result);
            double squares = 0, worst = 0;
            for (int head = 0; head < heads; head++)
            {
                int kvHead = head / (heads / kvHeads), first = window == 0 ? 0 : Math.Max(0, slots - window);
                double[] sums = new double[valueLength];
                double total = hasSinks ? Math.Exp(sinks[head]) : 0;
                for (int slot = first; slot < slots; slot++)
                {
                    double score = 0;
                    for (int i = 0; i < keyLength; i++) score += (double)q[(head * keyLength) + i] * Stored(type, k, (((slot * kvHeads) + kvHead) * keyLength) + i);
                    score *= options.Scale;
                    if (cap != 0) score = cap * Math.Tanh(score / cap);
                    double weight = Math.Exp(score);
                    total += weight;
                    for (int i = 0; i < valueLength; i++) sums[i] += weight * Stored(type, v, (((slot * kvHeads) + kvHead) * valueLength) + i);
                }

                for (int i = 0; i < valueLength; i++)
                {
                    float value = result[(head * valueLength) + i];
                    Assert.True(float.IsFinite(value), $"[{head}, {i}] is {value}");
                    (squares, worst) = (squares + Math.Pow(sums[i] / total, 2), Math.Max(worst, Math.Abs((sums[i] / total) - value)));
                }
            }

            double rms = Math.Sqrt(squares / result.Length);
            Assert.True(worst < 2e-4 * rms, $"largest difference {worst / rms:g3} of the root mean square, time {time}");
        }
    }

    private static Action<DeviceMemory, AttentionArguments> Kernel(KvType type, int together) => type switch
    {
        KvType.F16 => Kernel<KvF16>(together),
        KvType.F32 => Kernel<KvF32>(together),
        _ => Kernel<KvQ8_0>(together),
    };

    private static Action<DeviceMemory, AttentionArguments> Kernel<T>(int together)
        where T : unmanaged, IKvFormat => together switch
        {
            0 => PagedAttention<T, T, LongHeads>.WideKernel,
            1 => PagedAttention<T, T, OneHead>.OneKernel,
            2 => PagedAttention<T, T, TwoHeads>.Kernel,
            _ => PagedAttention<T, T, FourHeads>.Kernel,
        };

    // A value as it is stored: of Q8_0 with the scale of its block of 32.
    private static double Stored(KvType type, float[] values, int at)
    {
        if (type == KvType.F32) return values[at];
        if (type == KvType.F16) return Float16.ToSingle(Float16.FromSingle(values[at]));
        float most = 0;
        for (int i = at & -32; i < (at & -32) + 32; i++) most = Math.Max(most, Math.Abs(values[i]));
        float scale = Float16.ToSingle(Float16.FromSingle(most / 127f));
        return scale * Math.Clamp(MathF.Round(values[at] * (1f / scale)), -128f, 127f);
    }

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) * 3)];
}
