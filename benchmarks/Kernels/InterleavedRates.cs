using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Quern.Benchmarks.Limits;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Benchmarks.Kernels;

/// <summary>
/// How fast the assembled kernels over interleaved rows are on one thread with everything in the caches, beside the rate of the byte product with nothing else, in one run: medians of
/// rounds in which the formats and the limit take turns. Sixteen tokens as in a prompt, one as in a decode step.
/// </summary>
internal static unsafe class InterleavedRates
{
    private const int Rounds = 9, Groups = 16, Cols = 1024;
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(15);

    /// <summary>Prints a Markdown table.</summary>
    public static int Print(IReadOnlyList<string> names)
    {
        WeightFormat[] formats = [.. FormatTable.All.Where(format => InterleavedLayout.HasKernels && format.Interleaved is not null && (names.Count == 0 || names.Contains(format.Info.Name)))];
        if (formats.Length == 0)
        {
            Console.Error.WriteLine($"kernels: the tier here is {Isa.Name}, for which none are assembled");
            return 1;
        }

        int[] tokens = [1, 4, 16];
        List<double> peak = [];
        Dictionary<(string, int), List<double>> rates = [];
        for (int round = 0; round < Rounds; round++)
        {
            peak.Add(Rate(() => ((delegate* unmanaged<nint, void>)MachineLimits.ByteProductLoop)(0)) * MachineLimits.ByteProducts.CallOperations);
            foreach (WeightFormat format in formats)
                foreach (int count in tokens)
                {
                    double products = Kernel(format.Interleaved!, count) / 1e9;
                    if (!rates.TryGetValue((format.Info.Name, count), out List<double>? list)) rates[(format.Info.Name, count)] = list = [];
                    list.Add(products);
                }
        }

        double top = Median(peak) / 1e9;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{MachineLimits.ByteProduct} alone: {top:f0} Gop/s on one thread (a multiplication and an addition are two)\n"));
        Console.WriteLine("| weights | 16 tokens, Gop/s | of that | 4 tokens, Gop/s | 1 token, Gop/s | 1 token, GB/s of weights |\n| --- | ---: | ---: | ---: | ---: | ---: |");
        foreach (WeightFormat format in formats)
        {
            double many = Median(rates[(format.Info.Name, 16)]), four = Median(rates[(format.Info.Name, 4)]), one = Median(rates[(format.Info.Name, 1)]);
            double bytesPerOperation = format.Interleaved!.GroupBytes(Cols) / (2.0 * 16 * Cols);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {format.Info.Name} | {many:f0} | {100 * many / top:f0} % | {four:f0} | {one:f0} | {one * bytesPerOperation:f1} |"));
        }

        return 0;
    }

    private static double Kernel(InterleavedLayout layout, int tokens)
    {
        int streams = InterleavedLayout.StreamsFor(tokens);
        long groupBytes = layout.GroupBytes(Cols), activationBytes = InterleavedProduct.ActivationBytes(layout, Cols, tokens);
        byte* weights = (byte*)NativeMemory.AlignedAlloc((nuint)((groupBytes * Groups) + 4096), 64), x = (byte*)NativeMemory.AlignedAlloc((nuint)activationBytes, 64);
        float* y = (float*)NativeMemory.AlignedAlloc(16 * 16 * Groups * sizeof(float), 64);
        new Span<byte>(weights, (int)groupBytes * Groups).Fill(0x11);
        new Span<byte>(x, (int)activationBytes).Fill(0x11);
        new Span<float>(y, 16 * 16 * Groups).Clear();
        KernelArguments arguments = new()
        {
            StreamBytes = groupBytes,
            Activations = x,
            Blocks = Cols / layout.BlockColumns,
            YStreamBytes = 64,
            YTokenBytes = 64 * Groups,
        };
        KernelArguments* at = &arguments;
        var kernel = (delegate* unmanaged<KernelArguments*, void>)layout.Kernel(tokens, streams);
        double calls = Rate(() =>
        {
            for (int group = 0; group < Groups; group += streams)
            {
                at->Weights = weights + (group * groupBytes);
                at->Y = y + (16 * group);
                kernel(at);
            }
        });
        NativeMemory.AlignedFree(weights);
        NativeMemory.AlignedFree(x);
        NativeMemory.AlignedFree(y);
        return calls * 2.0 * 16 * Groups * Cols * tokens;
    }

    private static double Rate(Action action)
    {
        action();
        long calls = 0, start = Stopwatch.GetTimestamp();
        TimeSpan elapsed;
        do
        {
            for (int i = 0; i < 8; i++) action();
            calls += 8;
            elapsed = Stopwatch.GetElapsedTime(start);
        }
        while (elapsed < Slice);
        return calls / elapsed.TotalSeconds;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
