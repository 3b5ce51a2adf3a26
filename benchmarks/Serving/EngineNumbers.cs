using System.Diagnostics;
using System.Globalization;
using Quern.Engine;
using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;

namespace Quern.Benchmarks.Serving;

/// <summary>
/// What the engine gives and costs on a model: the time until the first token of a prompt of 2,000 tokens, and of a second one with the same beginning; and what a step of sixteen sequences
/// takes beside the model.
/// </summary>
internal static class EngineNumbers
{
    private const int Prompt = 2000, Sequences = 16, Steps = 64;

    /// <summary>Prints both.</summary>
    public static async Task<int> Print(string path)
    {
        using QuernModel model = QuernModel.Load(path, new ModelOptions { ContextLength = Prompt + Steps, CacheTokens = 4 * (Prompt + Steps) });
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(path)}, {Isa.Name}, {model.Threads} threads"));
        await using InferenceEngine engine = new(model, new EngineOptions { MaxSequences = Sequences });
        await FirstToken(engine, Tokens(1, 64)); // kernels are assembled
        TimeSpan first = await FirstToken(engine, Tokens(2, Prompt)), second = await FirstToken(engine, [.. Tokens(2, Prompt - 1), 5]);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"first token behind {Prompt} tokens: {first.TotalMilliseconds:f0} ms; with a known beginning: {second.TotalMilliseconds:f0} ms, {100 * second / first:f1} %"));

        await Together(engine, Tokens); // code is compiled
        await Together(engine, Tokens);
        return 0;

        int[] Tokens(int seed, int count) => [.. Enumerable.Range(0, count).Select(i => (int)((seed + (i * 7919L)) % model.VocabularySize))];
    }

    private static async Task Together(InferenceEngine engine, Func<int, int, int[]> tokens)
    {
        GenerationOptions options = new() { MaxTokens = Steps, IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0 } };
        EngineStatistics before = engine.Statistics;
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Sequences).Select(async sequence =>
        {
            await foreach (GeneratedText piece in engine.Submit(tokens(100 + sequence, 8), options).ReadAsync())
                if (piece.Finish is not null) return;
        }));
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        EngineStatistics after = engine.Statistics;
        long steps = after.Steps - before.Steps;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Sequences} sequences: {Sequences * Steps / elapsed.TotalSeconds:f1} tokens a second; a step: model and samplers {(after.ComputingTime - before.ComputingTime).TotalMilliseconds / steps:f2} ms, scheduling {1e3 * (after.SchedulingTime - before.SchedulingTime).TotalMilliseconds / steps:f1} µs"));
    }

    private static async Task<TimeSpan> FirstToken(InferenceEngine engine, int[] prompt)
    {
        TimeSpan time = default;
        await foreach (GeneratedText piece in engine.Submit(prompt, new GenerationOptions { MaxTokens = 1, IgnoreEos = true }).ReadAsync())
            if (piece.Statistics is { } statistics) time = statistics.PromptTime;
        return time;
    }
}
