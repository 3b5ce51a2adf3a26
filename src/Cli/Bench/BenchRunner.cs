using System.Diagnostics;
using Quern.Cli.Options;
using Quern.Engine;
using Quern.Kernels.Cpu;
using Quern.Models.Quantization;

namespace Quern.Cli.Bench;

/// <summary>Measures tests on one loaded model. Every test runs once unmeasured, so that code is compiled and weights are in memory.</summary>
internal sealed class BenchRunner(QuernModel model, string path, int repetitions, CancellationToken cancellation)
{
    public BenchResult Run(BenchTest test, Action<int> beginning)
    {
        double[] seconds = test.Sequences > 1 ? RunTogether(test, beginning) : RunAlone(test, beginning);
        int tokens = test.Tokens * test.Sequences;
        double[] speeds = [.. seconds.Select(s => tokens / Math.Max(s, 1e-9))];
        return new BenchResult(
            CommandLine.Version, Path.GetFileName(path), ModelType(), model.WeightBytes, Parameters(), model.BackendDescription,
            ModelArguments.Mode(model), KvType(), model.Threads, model.Options.BatchTokens, test.Name, test.Prompt, test.Generate, test.Depth, test.Sequences,
            BenchResult.Mean(speeds), BenchResult.StandardDeviation(speeds), BenchResult.Median(speeds), speeds, seconds, model.PromptError);
    }

    private double[] RunAlone(BenchTest test, Action<int> beginning)
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

        return [.. seconds];
    }

    private double[] RunTogether(BenchTest test, Action<int> beginning)
    {
        List<double> seconds = [];
        for (int i = -1; i < repetitions; i++)
        {
            beginning(i);
            double elapsed = Together(test).GetAwaiter().GetResult();
            if (i >= 0) seconds.Add(elapsed);
        }

        return [.. seconds];
    }

    // From when all sequences have begun until the first one ends, scaled to all tokens: in between every step computes one token of each.
    private async Task<double> Together(BenchTest test)
    {
        await using InferenceEngine engine = new(model, new EngineOptions { MaxSequences = test.Sequences, SharePrefixes = false });
        GenerationOptions options = new() { MaxTokens = test.Generate, IgnoreEos = true, Sampling = new() { Temperature = 0 } };
        Lock turn = new();
        int began = 0, ended = 0;
        (long Ticks, long Tokens) first = default, last = default;
        await Task.WhenAll(Enumerable.Range(0, test.Sequences).Select(async sequence =>
        {
            bool begins = true;
            await foreach (GeneratedText piece in engine.Submit(Tokens(Math.Max(1, test.Depth), 1 + sequence), options, cancellation: cancellation).ReadAsync())
            {
                lock (turn)
                {
                    (long, long) now = (Stopwatch.GetTimestamp(), engine.Statistics.GeneratedTokens);
                    if (begins && ++began == test.Sequences) first = now;
                    if (piece.Finish is not null && ++ended == 1) last = now;
                    begins = false;
                }
            }
        })).ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        return Stopwatch.GetElapsedTime(first.Ticks, last.Ticks).TotalSeconds / Math.Max(1, last.Tokens - first.Tokens) * test.Tokens * test.Sequences;
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
