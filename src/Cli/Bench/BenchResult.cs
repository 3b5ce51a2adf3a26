using System.Text.Json.Serialization;

namespace Quern.Cli.Bench;

/// <summary>What was measured of one test.</summary>
internal sealed record BenchResult(
    string Build, string ModelFilename, string ModelType, long ModelSize, long ModelParams, string Backend, string Mode, string KvType, int Threads, int BatchSize,
    string Test, int Prompt, int Generate, int Depth, int Sequences, double AvgTs, double StddevTs, double MedianTs, IReadOnlyList<double> SamplesTs, IReadOnlyList<double> SamplesSeconds,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] double? PromptError)
{
    /// <summary>The mean.</summary>
    public static double Mean(IReadOnlyList<double> samples) => samples.Average();

    /// <summary>The standard deviation of the sample (n − 1); 0 for one value.</summary>
    public static double StandardDeviation(IReadOnlyList<double> samples)
    {
        if (samples.Count < 2) return 0;
        double mean = Mean(samples);
        return Math.Sqrt(samples.Sum(x => (x - mean) * (x - mean)) / (samples.Count - 1));
    }

    /// <summary>The middle value, or the mean of the two.</summary>
    public static double Median(IReadOnlyList<double> samples)
    {
        double[] sorted = [.. samples.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
