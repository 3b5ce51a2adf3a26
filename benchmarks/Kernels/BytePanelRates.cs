using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Quern.Benchmarks.Limits;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.BytePanels;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Benchmarks.Kernels;

/// <summary>The parts of a prompt in bytes on one thread, everything in the caches, beside the byte product alone: the kernel, decoding and quantising weights, quantising activations.</summary>
internal static unsafe class BytePanelRates
{
    private const int Rounds = 9, Tokens = 512, Rows = BytePanelLayout.Rows, Cols = BytePanelLayout.BlockColumns;
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(15);

    /// <summary>Prints a Markdown table.</summary>
    public static int Print(IReadOnlyList<string> names)
    {
        if (!Isa.HasAvx512Vnni)
        {
            Console.Error.WriteLine($"int8: needs avx512vnni; this process runs on {Isa.Name}");
            return 1;
        }

        using ThreadTeam team = new(1);
        double productsOfPanel = 2.0 * Rows * Cols * Tokens, limit = Median(() => MachineLimits.BestProductsPerSecond(team));
        double Part(double seconds) => 100 * seconds * limit / productsOfPanel;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Of a panel of {Rows} rows by {Cols} columns and {Tokens} tokens, on one thread; the best product instruction alone does {limit / 1e9:f0} Gop/s.\n"));
        Console.WriteLine("| part | μs | of the products alone |\n| --- | ---: | ---: |");
        void Write(string name, double seconds) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {1e6 * seconds:f2} | {Part(seconds):f1} % |"));
        byte* memory = (byte*)NativeMemory.AlignedAlloc(4 << 20, 64);
        new Span<byte>(memory, 4 << 20).Fill(0x11);
        float* columns = (float*)memory, scales = columns + (16 * Cols);
        byte* panel = memory + (1 << 16), placed = memory + (1 << 20), outputs = memory + (2 << 20), sums = memory + (3 << 20);
        ByteActivations activations = new(placed, Cols, BytePanelProduct.Whole(Tokens));
        for (int t = 0; t < Tokens; t++) activations.Place(columns, t);
        BytePanelArguments arguments = new()
        {
            Weights = panel,
            WeightScales = scales,
            Activations = activations.Codes(0),
            Scales = activations.Scales(0),
            Corrections = activations.Corrections(0),
            Y = (float*)outputs,
            Steps = BytePanelLayout.Steps(Cols, 0),
            Turns = BytePanelProduct.Whole(Tokens) / BytePanelProduct.TurnTokens,
            TileSums = (int*)sums,
        };
        BytePanelArguments* at = &arguments;
        BytePanelArguments fresh = arguments;
        var kernel = (delegate* unmanaged<BytePanelArguments*, void>)BytePanelProduct.Kernel;
        Write("kernel", Median(() => Seconds(() =>
        {
            *at = fresh;
            kernel(at);
        })));
        Write("quantise activations, of 64 rows", Median(() => Seconds(() =>
        {
            for (int t = 0; t < Tokens; t++) activations.Place(columns, t);
        })) * Rows / 2048);
        Write("quantise weights", Median(() => Seconds(() =>
        {
            for (int g = 0; g < BytePanelLayout.Groups; g++) PanelWeights.Quantize(columns, Cols, BytePanelProduct.Offset, panel + (g * BytePanelLayout.GroupBytes), scales);
        })));
        using CpuBackend backend = new(team);
        foreach (string name in names)
        {
            WeightFormat format = FormatTable.Find(name) ?? throw new ArgumentException($"'{name}' is no weight format", nameof(names));
            if (format.Interleaved is not { Element: FloatElement.None } layout) continue;
            using BoundMatrices matrices = new(backend, format);
            WeightMatrix matrix = matrices.Add(Rows, Cols);
            TileDecodeArguments decode = new() { Blocks = Cols / layout.BlockColumns, Tiles = (byte*)columns };
            TileDecodeArguments* decodeAt = &decode;
            var decoder = (delegate* unmanaged<TileDecodeArguments*, void>)layout.ColumnDecoder();
            Write($"decode {name}", Median(() => Seconds(() =>
            {
                for (int g = 0; g < BytePanelLayout.Groups; g++)
                {
                    decodeAt->Weights = matrix.Interleaved!.Matrix(0) + (g * matrix.Interleaved.GroupBytes);
                    decoder(decodeAt);
                }
            })));
        }

        NativeMemory.AlignedFree(memory);
        return 0;
    }

    private static double Seconds(Action action)
    {
        action();
        long calls = 0, start = Stopwatch.GetTimestamp();
        TimeSpan elapsed;
        do
        {
            action();
            calls++;
            elapsed = Stopwatch.GetElapsedTime(start);
        }
        while (elapsed < Slice);
        return elapsed.TotalSeconds / calls;
    }

    private static double Median(Func<double> look) => Enumerable.Range(0, Rounds).Select(_ => look()).Order().ElementAt(Rounds / 2);
}
