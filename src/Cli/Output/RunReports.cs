using System.Diagnostics;
using Quern.Engine;

namespace Quern.Cli.Output;

/// <summary>What <c>quern run --json</c> says.</summary>
internal sealed record RunReport(
    string Model, string Prompt, string Text, IReadOnlyList<int> Tokens, string FinishReason, ulong Seed, RunStatistics Statistics);

/// <summary>What a run cost.</summary>
internal sealed record RunStatistics(
    int PromptTokens, double PromptSeconds, double PromptTokensPerSecond, int GeneratedTokens, double GenerationSeconds, double TokensPerSecond,
    long ProposedTokens, long AcceptedTokens, double MeanAcceptedLength, double SpeedUp, double LoadSeconds, long ResidentBytes, long WeightBytes, long CacheBytes,
    double? PromptError)
{
    public static RunStatistics Of(QuernModel model, GenerationStatistics statistics, EngineStatistics engine)
    {
        using Process process = Process.GetCurrentProcess();
        return new RunStatistics(
            statistics.PromptTokens, Round(statistics.PromptTime.TotalSeconds), Round(statistics.PromptTokensPerSecond), statistics.GeneratedTokens,
            Round(statistics.DecodeTime.TotalSeconds), Round(statistics.TokensPerSecond), statistics.ProposedTokens, statistics.AcceptedTokens,
            Round(engine.AcceptedTokens / Math.Max(1.0, engine.Proposals)), Round(engine.SpeedUp), Round(model.LoadTime.TotalSeconds), process.WorkingSet64,
            model.WeightBytes, model.CacheBytes, model.PromptError);
    }

    /// <summary>The short table below a text.</summary>
    public void Write(TextWriter writer, string finish)
    {
        TextTable table = new(false, true, true, false);
        table.Add("prompt", $"{PromptTokens} tokens", $"{Units.Rate(PromptTokensPerSecond)} tok/s", PromptError is { } error ? $"in int8, products off by {Units.Percent(error)}" : "");
        table.Add("generated", $"{GeneratedTokens} tokens", $"{Units.Rate(TokensPerSecond)} tok/s", $"ended by {finish}");
        if (ProposedTokens > 0) table.Add("proposed", $"{ProposedTokens} tokens", $"{100.0 * AcceptedTokens / ProposedTokens:F1} %", $"kept, {MeanAcceptedLength:F1} at a time{(SpeedUp > 0 ? $"; {SpeedUp:F2} times as fast as without" : "")}");
        table.Add("load", Units.Seconds(TimeSpan.FromSeconds(LoadSeconds)));
        table.Add("memory", Units.Bytes(ResidentBytes), "resident", $"weights {Units.Bytes(WeightBytes)}, cache {Units.Bytes(CacheBytes)}");
        table.Write(writer);
    }

    private static double Round(double value) => Math.Round(value, 4);
}
