using System.Diagnostics;
using Quern.Engine;
using Quern.Kernels.Cpu;
using Quern.Models.Quantization;

namespace Quern.Cli.Bench;

/// <summary>Measures tests on one loaded model. Every test runs once unmeasured, so that code is compiled and weights are in memory.</summary>
internal sealed class BenchRunner(QuernModel model, string path, int repetitions, CancellationToken cancellation)
{
    public BenchResult Run(BenchTest test, Action<int> beginning)
    {
        using Session session = model.CreateSession();
        if (test.Depth > 0) session.Evaluate(Tokens(test.Depth, 1), cancellation);
        int[] tokens = Tokens(test.Tokens, 7);
        List<double> seconds = [];
        for (int i = -1; i < repetitions; i++)
        {
            beginning(i);
            session.Truncate(test.Depth);
            long start = Stopwatch.GetTimestamp();
            if (test.Prompt > 0) session.Evaluate(tokens, cancellation);
            else for (int t = 0; t < tokens.Length; t++) session.Evaluate(tokens.AsSpan(t, 1), cancellation);
            double elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (i >= 0) seconds.Add(elapsed);
        }

        double[] speeds = [.. seconds.Select(s => test.Tokens / Math.Max(s, 1e-9))];
        return new BenchResult(
            CommandLine.Version, Path.GetFileName(path), ModelType(), model.WeightBytes, Parameters(), model.BackendDescription,
            model.Options.Exact ? "exact" : "fast", KvType(), model.Threads, model.Options.BatchTokens, test.Name, test.Prompt, test.Generate, test.Depth,
            BenchResult.Mean(speeds), BenchResult.StandardDeviation(speeds), BenchResult.Median(speeds), speeds, seconds);
    }

    // Any tokens will do: time does not depend on them. The first begins a text where the model wants that.
    private int[] Tokens(int count, int seed)
    {
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++) tokens[i] = (int)((seed + ((i + 1L) * 7919)) % model.VocabularySize);
        if (seed == 1 && model.Vocabulary is { AddBos: true, Bos: { } bos }) tokens[0] = bos;
        return tokens;
    }

    private long Parameters() => model.File.Tensors.Sum(tensor => tensor.ElementCount);

    private string KvType()
    {
        KvLayout layout = model.KvLayout;
        return (layout.KeyType == layout.ValueType ? $"{layout.KeyType}" : $"{layout.KeyType},{layout.ValueType}").ToLowerInvariant();
    }

    private string ModelType()
    {
        long parameters = Parameters();
        string size = parameters >= 1_000_000_000 ? $"{parameters / 1e9:0.#}B" : parameters >= 1_000_000 ? $"{parameters / 1e6:0}M" : $"{parameters / 1e3:0}K";
        string label = model.Metadata.FindEntry("general.file_type") is null ? ""
            : QuantizationTable.Find(model.Metadata.GetInt32("general.file_type"))?.Label ?? "";
        return $"{model.Config.Architecture} {size} {label}".TrimEnd();
    }
}
