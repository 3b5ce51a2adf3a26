using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Attention;
using Quern.Kernels.Gpu.Tests.Machine;

namespace Quern.Kernels.Gpu.Tests.Attention;

/// <summary>Keys and values stored, and a prompt's attention on tensor cores, as their PTX says, run by the machine; beside attention in double precision of the same values.</summary>
public sealed class FlashPromptTests : DeviceTests
{
    [Theory]
    [InlineData(64, 2, 1, 70, 0, 0, 0f, false)]
    [InlineData(64, 2, 2, 65, 37, 20, 0f, true)]
    [InlineData(128, 1, 1, 66, 5, 0, 3f, false)]
    public void APromptAsACardComputesIt(int length, int heads, int kvHeads, int tokens, int depth, int window, float cap, bool hasSinks)
    {
        using GpuDevice device = Devices.Open(GpuKind.Simulated);
        using DeviceArena arena = new(device, 8 << 20);
        using PassInputs inputs = new(device, arena);
        int slots = depth + tokens, width = kvHeads * length;
        int[] table = [.. Enumerable.Range(0, KvLayout.PagesFor(slots)).Reverse()];
        using GpuKvCache cache = new(device, arena, new KvLayout([new KvLayer(kvHeads, length, length)], KvType.F16, table.Length));
        // Slots behind the last token hold what a page's last owner left there, here what is no number.
        byte[] left = new byte[cache.PageBytes];
        left.AsSpan().Fill(0xff);
        for (int page = 0; page < table.Length; page++) cache.WritePage(page, left);
        Random random = new(tokens);
        float[] k = Values(random, slots * width), v = Values(random, slots * width), q = Values(random, tokens * heads * length), sinks = Values(random, heads);
        Tensor keys = new(arena.Take(slots * width * sizeof(float), "keys"), slots, width, width), values = new(arena.Take(slots * width * sizeof(float), "values"), slots, width, width);
        Batch batch = new(slots);
        batch.Add(new int[slots], 0, table);
        InputPlaces places = inputs.Require(batch);
        arena.Write<float>(keys.Address, k);
        arena.Write<float>(values.Address, v);
        StoreArguments store = new(arena.Tensor(keys), arena.Tensor(values), cache.Keys(0), cache.Values(0), kvHeads, places);
        PtxMachine.Run(StoreKv<KvF16, KvF16>.Kernel, arena, store, 2 * kvHeads, slots, 32);
        batch.Clear();
        batch.Add(new int[tokens], depth, table);
        places = inputs.Require(batch);
        Tensor queries = new(arena.Take(q.Length * sizeof(float), "q"), tokens, heads * length, heads * length), y = queries with { Address = arena.Take(q.Length * sizeof(float), "y") };
        nint sink = arena.Take(heads * sizeof(float), "sinks");
        arena.Write<float>(queries.Address, q);
        arena.Write<float>(sink, sinks);
        AttentionOptions options = new(heads, 1 / MathF.Sqrt(length), cap, window);
        AttentionArguments arguments = new(arena.Tensor(queries), arena.Tensor(y), cache.Keys(0), cache.Values(0), places, kvHeads, options, new AttentionPlaces(-1, -1, 0, hasSinks ? arena.Offset(sink) : -1, 0, 0, 0), 1);
        FlashArguments flash = new(arguments, 0, tokens);
        int groups = (tokens + FlashPrompt.Queries - 1) / FlashPrompt.Queries;
        if (length == 64) PtxMachine.Run(FlashPrompt<KvF16, KvF16, Head64>.Kernel, arena, flash, heads, groups, FlashPrompt.Threads);
        else PtxMachine.Run(FlashPrompt<KvF16, KvF16, Head128>.Kernel, arena, flash, heads, groups, FlashPrompt.Threads);
        float[] found = new float[q.Length], alone = new float[q.Length];
        arena.Read<float>(y.Address, found);
        Check(found, (token, head) => Row(q, k, v, token, head, length, heads, kvHeads, depth, options, hasSinks ? sinks[head] : double.NegativeInfinity), tokens, heads, length, 3e-3);

        // The kernel of single rows, four warps that share a row's pages.
        if (heads == kvHeads) PtxMachine.Run(PagedAttention<KvF16, KvF16, OneHead>.OneKernel, arena, arguments, kvHeads, tokens, 128);
        else PtxMachine.Run(PagedAttention<KvF16, KvF16, TwoHeads>.Kernel, arena, arguments, kvHeads, tokens, 128);
        arena.Read<float>(y.Address, alone);
        Check(alone, (token, head) => Row(q, k, v, token, head, length, heads, kvHeads, depth, options, hasSinks ? sinks[head] : double.NegativeInfinity), tokens, heads, length, 2e-3);
    }

    private static void Check(float[] found, Func<int, int, double[]> expected, int tokens, int heads, int length, double tolerance)
    {
        double squares = 0, worst = 0;
        for (int token = 0; token < tokens; token++)
        {
            for (int head = 0; head < heads; head++)
            {
                double[] row = expected(token, head);
                for (int i = 0; i < length; i++)
                {
                    float value = found[(((token * heads) + head) * length) + i];
                    Assert.True(float.IsFinite(value), $"[{token}, {head}, {i}] is {value}");
                    (squares, worst) = (squares + (row[i] * row[i]), Math.Max(worst, Math.Abs(row[i] - value)));
                }
            }
        }

        double rms = Math.Sqrt(squares / found.Length);
        Assert.True(worst < tolerance * rms, $"largest difference {worst / rms:g3} of the root mean square");
    }

    private static double[] Row(float[] q, float[] k, float[] v, int token, int head, int length, int heads, int kvHeads, int depth, AttentionOptions options, double sink)
    {
        int at = depth + token, first = options.Window == 0 ? 0 : Math.Max(0, at - options.Window + 1), kvHead = head / (heads / kvHeads);
        double[] weights = new double[at + 1], result = new double[length];
        double total = Math.Exp(sink);
        for (int slot = first; slot <= at; slot++)
        {
            double score = 0;
            for (int i = 0; i < length; i++) score += (double)q[(((token * heads) + head) * length) + i] * Stored(k[(((slot * kvHeads) + kvHead) * length) + i]);
            score *= options.Scale;
            if (options.SoftCap != 0) score = options.SoftCap * Math.Tanh(score / options.SoftCap);
            total += weights[slot] = Math.Exp(score);
        }

        for (int slot = first; slot <= at; slot++)
            for (int i = 0; i < length; i++) result[i] += weights[slot] / total * Stored(v[(((slot * kvHeads) + kvHead) * length) + i]);
        return result;
    }

    private static float Stored(float value) => Float16.ToSingle(Float16.FromSingle(value));

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) * 3)];
}
