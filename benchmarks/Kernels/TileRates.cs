using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Quern.Benchmarks.Limits;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Benchmarks.Kernels;

/// <summary>Rates of the tile unit's kernels on one thread, beside its products alone: two by two tiles over some steps, with operands in the first or the second-level cache, and decoding.</summary>
internal static unsafe class TileRates
{
    private const int Rounds = 9;

    public static int Print()
    {
        if (!Isa.HasAmx || Isa.TilesAreSimulated)
        {
            Console.Error.WriteLine($"tiles: needs amx; this process runs on {Isa.Name}");
            return 1;
        }

        using ThreadTeam team = new(1);
        Console.WriteLine("| steps | turns | adds | Gflop/s | of TDPBF16PS |\n| ---: | ---: | --- | ---: | ---: |");
        foreach ((int steps, int turns, bool adds) in new[] { (4, 1, false), (8, 1, false), (16, 1, false), (16, 16, false), (16, 16, true), (32, 16, false), (32, 16, true), (64, 8, false), (64, 1, false) })
        {
            void* memory = NativeMemory.AlignedAlloc(16 << 20, 64);
            new Span<byte>(memory, 16 << 20).Clear();
            byte* x = (byte*)memory, w = x + ((long)2 * turns * steps * 1024), y = w + (2 * steps * 1024);
            double operations = 2.0 * 32 * 32 * 32 * steps * turns;
            List<double> rates = [], limits = [];
            int calls = (int)(4e9 / operations / 20) + 1;
            for (int round = 0; round < Rounds; round++)
            {
                long start = Stopwatch.GetTimestamp();
                for (int i = 0; i < calls; i++)
                {
                    TileProductArguments arguments = new()
                    {
                        Activations = x,
                        ActivationBytes = steps * 1024,
                        Weights = w,
                        WeightBytes = steps * 1024,
                        Steps = steps,
                        Turns = turns,
                        TurnActivationBytes = 2 * steps * 1024,
                        Before = adds ? (float*)y : null,
                        BeforeTokenBytes = 128,
                        TurnBeforeBytes = adds ? 32 * 128 : 0,
                        Y = (float*)y,
                        YTokenBytes = 128,
                        TurnYBytes = 32 * 128,
                    };
                    ((delegate* unmanaged<TileProductArguments*, void>)TileProductKernel.Find(2, 2))(&arguments);
                }

                rates.Add(calls * operations / Stopwatch.GetElapsedTime(start).TotalSeconds);
                limits.Add(MachineLimits.TileProductsPerSecond(team));
            }

            double rate = rates.Order().ElementAt(Rounds / 2), limit = limits.Order().ElementAt(Rounds / 2);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {steps} | {turns} | {adds} | {rate / 1e9:f0} | {100 * rate / limit:f0} % |"));
            NativeMemory.AlignedFree(memory);
        }

        Console.WriteLine("\n| format | decoded, Gweights/s | as a part of 512 tokens' products |\n| --- | ---: | ---: |");
        using CpuBackend backend = new(team);
        foreach (string name in new[] { "Q4_0", "Q8_0", "Q4_K", "Q6_K", "F16", "BF16" })
        {
            WeightFormat format = FormatTable.Find(name)!;
            using BoundMatrices matrices = new(backend, format);
            WeightMatrix matrix = matrices.Add(16, 2048);
            byte* tiles = (byte*)NativeMemory.AlignedAlloc(1 << 17, 64);
            List<double> rates = [], limits = [];
            for (int round = 0; round < Rounds; round++)
            {
                long start = Stopwatch.GetTimestamp();
                for (int i = 0; i < 2000; i++)
                {
                    var layout = matrix.Interleaved!.Layout;
                    TileDecodeArguments arguments = new()
                    {
                        Weights = matrix.Interleaved.Matrix(0),
                        Blocks = 2048 / layout.BlockColumns,
                        Tiles = tiles,
                        ColumnBytes = layout.BlockBytes / layout.BlockColumns,
                        BlockBytes = layout.BlockBytes,
                    };
                    ((delegate* unmanaged<TileDecodeArguments*, void>)layout.TileDecoder())(&arguments);
                }

                rates.Add(2000.0 * 16 * 2048 / Stopwatch.GetElapsedTime(start).TotalSeconds);
                limits.Add(MachineLimits.TileProductsPerSecond(team));
            }

            double rate = rates.Order().ElementAt(Rounds / 2), limit = limits.Order().ElementAt(Rounds / 2);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {rate / 1e9:f1} | {100 * limit / (rate * 1024):f0} % |"));
            NativeMemory.AlignedFree(tiles);
        }

        return 0;
    }
}
