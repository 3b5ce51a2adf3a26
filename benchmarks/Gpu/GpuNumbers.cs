using System.Diagnostics;
using System.Globalization;
using ILGPU;
using ILGPU.Runtime;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu;
using Quern.Kernels.Gpu.Gemm;

namespace Quern.Benchmarks.Gpu;

/// <summary>
/// What the kernels reach on a card: first what the card allows (a copy in its memory, products on tensor cores of what is there already), then single products, prompts, attention and whole steps
/// of the Llama-3-8B shape, each as a part of the limit. One page: <c>benchmarks/results/&lt;card&gt;/&lt;date&gt;.md</c>.
/// </summary>
internal static class GpuNumbers
{
    private static readonly string[] Formats = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS", "MXFP4"];

    /// <summary>
    /// <c>gpu [--toy] [--device cuda|opencl|simulated] [--only tokens,prompts,attention,steps] [--weights Q8_0,Q4_K] [--out FOLDER]</c>; <c>QUERN_GPU</c> names the device
    /// too. With <c>--only</c> or <c>--weights</c> nothing is written to the folder.
    /// </summary>
    public static int Print(string[] args)
    {
        bool isToy = args.Contains("--toy");
        string name = Option(args, "--device") ?? Environment.GetEnvironmentVariable("QUERN_GPU") ?? "cuda";
        GpuKind kind = name switch { "cuda" => GpuKind.Cuda, "opencl" => GpuKind.OpenCl, "simulated" => GpuKind.Simulated, _ => throw new ArgumentException($"--device is cuda, opencl or simulated, not '{name}'") };
        string[]? only = Option(args, "--only")?.Split(','), weights = Option(args, "--weights")?.Split(',');
        string[] formats = weights ?? Formats;
        using StringWriter page = new(CultureInfo.InvariantCulture);
        string card;
        try
        {
            using GpuBench bench = new(kind, isToy, isToy ? 16L << 20 : 1L << 30, page);
            card = bench.Device.Description;
            bench.Line($"# {card}");
            bench.Line("");
            bench.Line(string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:yyyy-MM-dd}, .NET {Environment.Version}{(isToy ? ", toy sizes: numbers mean nothing" : "")}"));
            Limits(bench);
            if (Wants("tokens")) Tokens(bench, formats);
            if (Wants("prompts")) Prompts(bench, formats);
            if (Wants("attention")) GpuAttentionNumbers.Print(bench);
            foreach (string format in weights ?? (isToy ? ["Q8_0"] : ["F16", "Q8_0", "Q4_K"]))
                if (Wants("steps")) Step(bench, format);
            if (only is not null || weights is not null) return 0;
        }
        catch (GpuException error)
        {
            Console.Error.WriteLine(error.Message);
            return 1;
        }

        string folder = Path.Combine(Option(args, "--out") ?? "benchmarks/results", Folder(card));
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, $"{DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}.md");
        File.WriteAllText(path, page.ToString());
        Console.WriteLine(path);
        return 0;

        bool Wants(string part) => only is null || only.Contains(part);
    }

    private static void Limits(GpuBench bench)
    {
        bench.UseGraphs(false);
        int values = bench.IsToy ? 1024 : 256 << 20;
        using MemoryBuffer1D<float, Stride1D.Dense> from = bench.Device.Accelerator.Allocate1D<float>(values), to = bench.Device.Accelerator.Allocate1D<float>(values);
        double seconds = bench.Seconds(() => to.View.CopyFrom(bench.Device.Stream, from.View), 10);
        bench.CopyRate = 2.0 * values * sizeof(float) / seconds;
        int groups = 4 * bench.Device.Accelerator.NumMultiprocessors, rounds = 4000;
        bool isWarpgroups = bench.Device.HasWarpgroups;
        if (bench.Device.Kind == GpuKind.Cuda)
        {
            GpuKernel<TensorPeakArguments> kernel = new(bench.Device, isWarpgroups ? WarpgroupPeak.Kernel : TensorPeak.Kernel);
            bench.Backend.BeginPass();
            Tensor result = bench.Backend.Take(1, TensorGemm.Threads);
            seconds = bench.Seconds(() => kernel.Run(bench.Backend.Arena.Memory, new TensorPeakArguments(rounds, bench.Backend.Arena.Offset(result.Address)), groups, 1, TensorGemm.Threads), 3);
            bench.TensorRate = (double)groups * rounds * (isWarpgroups ? WarpgroupPeak.OperationsOfRound : TensorPeak.OperationsOfRound) / seconds;
        }

        bench.Line("");
        bench.Line(string.Create(CultureInfo.InvariantCulture, $"A copy moves {bench.CopyRate / 1e12:f2} TB/s (read and written); bfloat16 products by {(isWarpgroups ? "wgmma from shared memory" : "mma.sync from registers")}: {bench.TensorRate / 1e12:f0} TFLOP/s."));
    }

    private static void Tokens(GpuBench bench, string[] formats)
    {
        (int rows, int cols) = bench.IsToy ? (8, 256) : (14336, 4096);
        bench.Line("");
        bench.Line($"One token, [{rows}, {cols}], activations prepared each time:");
        bench.Line("");
        bench.Line("| weights | µs | without rings | GB/s | of a copy |");
        bench.Line("| --- | ---: | ---: | ---: | ---: |");
        foreach (string name in formats)
        {
            using GpuBench own = bench.Fresh();
            WeightFormat format = FormatTable.Find(name)!;
            long bytes = GpuBackend.BytesOf(format, rows, cols, ComputeMode.Fast);
            // More than the caches hold.
            WeightMatrix[] matrices = [.. Enumerable.Range(0, bench.IsToy ? 1 : (int)((512L << 20) / bytes) + 1).Select(i => own.Matrix("w", format, rows, cols))];
            own.Backend.BeginPass();
            Tensor x = own.Values(1, cols), y = own.Backend.Take(1, rows);
            double Product() => own.Seconds(() => Array.ForEach(matrices, matrix => own.Backend.MatMul(x, matrix, null, y)), 5) / matrices.Length;
            double seconds = Product();
            own.Backend.UsesRings = false;
            bench.Line(string.Create(CultureInfo.InvariantCulture, $"| {name} | {seconds * 1e6:f1} | {Product() * 1e6:f1} | {bytes / seconds / 1e9:f0} | {GpuBench.Percent(bytes / seconds, bench.CopyRate)} |"));
        }
    }

    private static void Prompts(GpuBench bench, string[] formats)
    {
        (int n, int rows, int cols) = bench.IsToy ? (20, 8, 256) : (512, 28672, 4096);
        bench.Line("");
        bench.Line($"A prompt of {n}, [{rows}, {cols}], activations prepared each time:");
        bench.Line("");
        bench.Line("| weights | µs | TFLOP/s | of the tensor peak |");
        bench.Line("| --- | ---: | ---: | ---: |");
        foreach (string name in formats)
        {
            using GpuBench own = bench.Fresh();
            WeightMatrix matrix = own.Matrix("w", FormatTable.Find(name)!, rows, cols);
            own.Backend.BeginPass();
            Tensor x = own.Values(n, cols), y = own.Backend.Take(n, rows);
            double rate = 2.0 * n * rows * cols / own.Seconds(() => own.Backend.MatMul(x, matrix, null, y), 10);
            bench.Line(string.Create(CultureInfo.InvariantCulture, $"| {name} | {2.0 * n * rows * cols / rate * 1e6:f1} | {rate / 1e12:f1} | {GpuBench.Percent(rate, bench.TensorRate)} |"));
        }
    }

    private static void Step(GpuBench bench, string name)
    {
        using GpuBench own = bench.Fresh();
        LlamaShape shape = bench.IsToy ? LlamaShape.Toy : LlamaShape.Llama3;
        int depth = bench.IsToy ? 3 : 512, steps = bench.IsToy ? 1 : 64;
        using LlamaStep model = new(own, shape, FormatTable.Find(name)!, depth + (8 * steps) + 32);
        int[] prompt = [.. Enumerable.Range(0, depth).Select(i => i % shape.Vocabulary)];
        bench.Line("");
        bench.Line($"{name}, {shape.Layers} layers of width {shape.Width} ({Math.Min(shape.Layers, LlamaStep.DistinctLayers)} of them different), wall clock, all logits read or the 40 largest:");
        bench.Line("");
        bench.Line("| what | ms | tokens/s | of the limit |");
        bench.Line("| --- | ---: | ---: | ---: |");
        model.Run(prompt, 0);
        _ = model.Logit();
        double seconds = Wall(() => model.Run(prompt, 0), model, 1);
        double work = 2.0 * depth * model.LayerWeights;
        bench.Line(string.Create(CultureInfo.InvariantCulture, $"| prompt of {depth} | {seconds * 1e3:f2} | {depth / seconds:f0} | {GpuBench.Percent(work / seconds, bench.TensorRate)} of the tensor peak |"));
        int slot = depth;
        foreach (bool graphs in new[] { false, true })
        {
            own.UseGraphs(graphs);
            // The first is launched, the second recorded.
            for (int i = 0; i < 3; i++) Wall(() => model.Run([1], slot++), model, 1);
            seconds = Wall(() => model.Run([1], slot++), model, steps);
            Token(graphs ? "graphs" : "launch by launch", seconds);
        }

        // The same token again and again: nothing is copied to the card, and nobody waits.
        Token("graphs, the card's clock", own.Seconds(() => model.Run([1], slot), steps));
        for (int i = 0; i < 3; i++) SelectingStep();
        long begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < steps; i++) SelectingStep();
        Token("graphs, the 40 largest", seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds / steps);
        bench.Line(LaunchGaps.Row(own, SelectingStep, seconds));

        void SelectingStep()
        {
            model.Run([1], slot++);
            _ = model.Largest(40);
        }

        void Token(string how, double seconds) => bench.Line(string.Create(
            CultureInfo.InvariantCulture, $"| one token at {depth}, {how} | {seconds * 1e3:f3} | {1 / seconds:f0} | {GpuBench.Percent(model.WeightBytes / seconds, bench.CopyRate)} of a copy |"));
    }

    private static double Wall(Action work, LlamaStep model, int calls)
    {
        long begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++)
        {
            work();
            _ = model.Logit();
        }

        return Stopwatch.GetElapsedTime(begin).TotalSeconds / calls;
    }

    private static string? Option(string[] args, string name) => Array.IndexOf(args, name) is >= 0 and int at && at + 1 < args.Length ? args[at + 1] : null;

    private static string Folder(string description) => string.Concat(description.Split(',')[0].ToLowerInvariant().Select(c => char.IsLetterOrDigit(c) ? c : '-'));
}
