using Quern.Engine.Evaluation;

namespace Quern.Cli.Output;

/// <summary>What <c>quern perplexity --json</c> says. Numbers that cannot be told are left out: all before the first chunk, errors of fewer than two tokens.</summary>
internal sealed record PerplexityReport(
    string Model, string Mode, int ContextLength, int? Stride, int? ScoredPerChunk, int Tokens, int ChunkCount, bool Complete,
    double? Perplexity, double? PerplexityStandardError, double? Nll, double? NllStandardError, double? BitsPerByte, long ScoredTokens, long ScoredBytes,
    double Seconds, double TokensPerSecond, double? PromptError, IReadOnlyList<PerplexityChunkReport> Chunks)
{
    public static PerplexityReport Of(string model, string mode, double? promptError, Perplexity perplexity, IReadOnlyList<PerplexityChunk> chunks)
    {
        LikelihoodEstimate total = chunks.Count == 0 ? default : chunks[^1].Total;
        double seconds = chunks.Sum(chunk => chunk.Time.TotalSeconds);
        return new PerplexityReport(
            model, mode, perplexity.ContextLength, perplexity.Stride, perplexity.ScoredTokens, perplexity.TokenCount, perplexity.ChunkCount,
            chunks.Count == perplexity.ChunkCount, Finite(total.Perplexity), Finite(total.PerplexityStandardError), Finite(total.Mean),
            Finite(total.StandardError), Finite(total.BitsPerByte), total.Tokens, total.Bytes, seconds, Speed(chunks), promptError,
            [.. chunks.Select(PerplexityChunkReport.Of)]);
    }

    /// <summary>Tokens evaluated a second; 0 before the first chunk.</summary>
    public static double Speed(IReadOnlyList<PerplexityChunk> chunks) =>
        chunks.Count == 0 ? 0 : chunks.Sum(chunk => chunk.EvaluatedTokens) / Math.Max(chunks.Sum(chunk => chunk.Time.TotalSeconds), 1e-9);

    // JSON has no word for infinity or for what is not a number.
    public static double? Finite(double value) => double.IsFinite(value) ? value : null;

    /// <summary>The table of results.</summary>
    public void Write(TextWriter writer)
    {
        TextTable table = new(false, false);
        table.Add("perplexity", $"{Number(Perplexity)} ± {Number(PerplexityStandardError)}");
        table.Add("nll per token", $"{Number(Nll)} ± {Number(NllStandardError)}");
        table.Add("bits per byte", Number(BitsPerByte));
        string chunks = Complete ? $"{Chunks.Count}" : $"{Chunks.Count} of {ChunkCount}";
        table.Add("scored", $"{ScoredTokens} tokens, {ScoredBytes} bytes, in {chunks} {Unit}{(Complete ? "" : ", interrupted")}");
        table.Add("speed", $"{Units.Rate(TokensPerSecond)} tok/s, {Units.Seconds(TimeSpan.FromSeconds(Seconds))}");
        if (PromptError is { } error) table.Add("int8 prompts", $"products off by {Units.Percent(error)} (root mean square)");
        table.Write(writer);
    }

    private string Unit => Stride is null
        ? (ChunkCount == 1 ? "document" : "documents")
        : $"{(ChunkCount == 1 ? "chunk" : "chunks")} of {ContextLength}";

    private static string Number(double? value) => value is { } number ? $"{number:F5}" : "-";
}

/// <summary>One chunk: what its own tokens say, and the perplexity of all up to it.</summary>
internal sealed record PerplexityChunkReport(
    int FirstToken, long ScoredTokens, double? Nll, double? NllStandardError, double? Perplexity, double? RunningPerplexity, double Seconds)
{
    public static PerplexityChunkReport Of(PerplexityChunk chunk) => new(
        chunk.FirstToken, chunk.Measured.Tokens, PerplexityReport.Finite(chunk.Measured.Mean), PerplexityReport.Finite(chunk.Measured.StandardError),
        PerplexityReport.Finite(chunk.Measured.Perplexity), PerplexityReport.Finite(chunk.Total.Perplexity), chunk.Time.TotalSeconds);
}
