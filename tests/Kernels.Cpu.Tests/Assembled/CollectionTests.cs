using System.Globalization;
using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Tests.Formats;
using Quern.Kernels.Cpu.Tests.Interleaved;
using Quern.Kernels.Cpu.Tiles;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Assembled;

/// <summary>
/// Collections suspend threads wherever they are, in assembled code too, and that changes no result. Two seconds here; <c>QUERN_STRESS_SECONDS</c> makes it longer.
/// </summary>
public unsafe class CollectionTests
{
    private const int Tokens = 16, Cols = 1024;

    [TierTheory(IsaTier.Avx512Vnni)]
    [InlineData("Q4_K")]
    [InlineData("F16")]
    public void ResultsAreTheSameBesideCollections(string name)
    {
        nint kernel = FormatProbe.Find(name).Interleaved!.Kernel(Tokens, 1);
        Stress((seed, end) => Multiply(name, kernel, seed, end));
    }

    [TierTheory(IsaTier.Avx2)]
    [InlineData("Q4_K")]
    public void ResultsOfAvx2AreTheSameBesideCollections(string name)
    {
        nint kernel = InterleavedAvx2Kernel.Assemble(FormatProbe.Find(name).Interleaved!, Tokens, 1, ByteProducts.Pairs);
        Stress((seed, end) => Multiply(name, kernel, seed, end));
    }

    [TierTheory(IsaTier.Amx)]
    [InlineData(2, 2)]
    public void TilesAreTheSameBesideCollections(int tokenTiles, int rowTiles) => Stress((seed, end) => MultiplyTiles(tokenTiles, rowTiles, seed, end));

    private static void Stress(Func<int, DateTime, long> multiply)
    {
        double seconds = double.Parse(Environment.GetEnvironmentVariable("QUERN_STRESS_SECONDS") ?? "2", CultureInfo.InvariantCulture);
        DateTime end = DateTime.UtcNow.AddSeconds(seconds);
        int before = GC.CollectionCount(0);
        long[] calls = new long[2];
        Thread[] threads = [.. Enumerable.Range(0, calls.Length).Select(i => new Thread(() => calls[i] = multiply(i, end)))];
        foreach (Thread thread in threads) thread.Start();
        for (int generation = 0; threads.Any(thread => thread.IsAlive); generation = (generation + 1) % 3)
        {
            object[] garbage = [.. Enumerable.Range(0, 100).Select(i => (object)new byte[1000 + i])];
            GC.Collect(generation);
            GC.KeepAlive(garbage);
        }

        Assert.All(calls, count => Assert.True(count > (Isa.TilesAreSimulated ? 10 : 100), $"only {count} calls, or a wrong result (-1)"));
        Assert.True(GC.CollectionCount(0) - before > 20, "too few collections to mean anything");
    }

    private static long MultiplyTiles(int tokenTiles, int rowTiles, int seed, DateTime end)
    {
        const int Steps = 64, Turns = 4;
        Random random = new(seed);
        int tokens = 16 * tokenTiles * Turns, rows = 16 * rowTiles;
        using GuardedMemory x = new(tokenTiles * Turns * Steps * TileLayout.TileBytes), w = new(rowTiles * Steps * TileLayout.TileBytes), y = new(tokens * rows * sizeof(float));
        foreach (GuardedMemory memory in new[] { x, w })
            for (int i = 0; i < memory.Length / 2; i++) ((ushort*)memory.Start)[i] = (ushort)(BitConverter.SingleToUInt32Bits((float)random.NextDouble() - 0.5f) >> 16);
        return Repeat(end, y, () =>
        {
            TileProductArguments arguments = new()
            {
                Activations = x.Start,
                ActivationBytes = Steps * TileLayout.TileBytes,
                Weights = w.Start,
                WeightBytes = Steps * TileLayout.TileBytes,
                Steps = Steps,
                Turns = Turns,
                TurnActivationBytes = tokenTiles * Steps * TileLayout.TileBytes,
                Y = (float*)y.Start,
                YTokenBytes = rows * sizeof(float),
                TurnYBytes = 16 * tokenTiles * rows * sizeof(float),
            };
            ((delegate* unmanaged<TileProductArguments*, void>)TileProductKernel.Find(tokenTiles, rowTiles))(&arguments);
        });
    }

    // The number of calls that gave the first one's bits, or -1 at the first that did not.
    private static long Repeat(DateTime end, GuardedMemory y, Action call)
    {
        byte[]? first = null;
        long calls = 0;
        while (DateTime.UtcNow < end)
        {
            for (int i = 0; i < 50; i++, calls++)
            {
                y.Span.Clear();
                call();
                first ??= y.Span.ToArray();
                if (!y.Span.SequenceEqual(first)) return -1;
            }
        }

        return calls;
    }

    private static long Multiply(string name, nint kernel, int seed, DateTime end)
    {
        WeightFormat format = FormatProbe.Find(name);
        InterleavedLayout layout = format.Interleaved!;
        Random random = new(seed);
        using InterleavedProbe probe = new(format, random, 16, Cols);
        using GuardedMemory x = new((int)InterleavedProduct.ActivationBytes(layout, Cols, Tokens)), y = new(Tokens * 16 * sizeof(float));
        float[] values = [.. Enumerable.Range(0, Cols).Select(_ => (float)random.NextDouble() - 0.5f)];
        fixed (float* source = values)
            for (int t = 0; t < Tokens; t++)
            {
                if (layout.Element != FloatElement.None) InterleavedActivations.Place(source, Cols, Tokens, (float*)x.Start + t);
                else InterleavedActivations.Quantize(source, Cols, layout.Offset, layout.PerSixteen, Tokens, x.Start + (t * InterleavedActivations.BlockBytes));
            }

        KernelArguments arguments = new()
        {
            Weights = probe.Groups.Start,
            Activations = x.Start,
            Blocks = Cols / layout.BlockColumns,
            Y = (float*)y.Start,
            YTokenBytes = 16 * sizeof(float),
        };
        return Repeat(end, y, () =>
        {
            KernelArguments own = arguments;
            ((delegate* unmanaged<KernelArguments*, void>)kernel)(&own);
        });
    }
}
