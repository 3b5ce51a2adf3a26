using System.Text.Json;
using System.Text.Json.Serialization;
using Quern.Engine.Evaluation;

namespace Quern.Acceptance;

/// <summary>What was measured of all prompts, as JSON or as a table in Markdown.</summary>
internal sealed class AcceptanceReport(string target, string draft, string mode, int maxTokens)
{
    private static readonly JsonSerializerOptions Shape = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        WriteIndented = true,
    };

    private readonly List<AcceptanceText> _texts = [];

    /// <summary>Prompts measured.</summary>
    public int Prompts => _texts.Count;

    public void Add(AcceptanceText text) => _texts.Add(text);

    public void WriteJson(TextWriter writer) => writer.WriteLine(JsonSerializer.Serialize(
        new
        {
            target,
            draft,
            mode,
            maxTokens,
            prompts = Prompts,
            generatedTokens = GeneratedTokens,
            results = Totals.Select(Row),
            texts = _texts.Select(text => new { text.PromptTokens, text.Tokens, text.Ended, results = text.Counts.Select(Row) }),
        },
        Shape));

    public void WriteTable(TextWriter writer)
    {
        writer.WriteLine($"{Prompts} {(Prompts == 1 ? "prompt" : "prompts")}, {GeneratedTokens} tokens of the target, {mode}");
        writer.WriteLine();
        writer.WriteLine("|  k | rounds | proposed | accepted | share of proposals | mean length of a round |");
        writer.WriteLine("| -: | -----: | -------: | -------: | -----------------: | ---------------------: |");
        foreach (AcceptanceCount count in Totals)
        {
            writer.WriteLine(
                $"| {count.DraftLength,2} | {count.Rounds,6} | {count.Proposed,8} | {count.Accepted,8} | {Percent(count),18} | {Number(count.MeanAcceptedLength)?.ToString("F3") ?? "-",22} |");
        }
    }

    private int GeneratedTokens => _texts.Sum(text => text.Tokens.Count);

    private IEnumerable<AcceptanceCount> Totals => _texts.SelectMany(text => text.Counts.Index())
        .GroupBy(entry => entry.Index, entry => entry.Item, (_, counts) => counts.Aggregate((a, b) => a.And(b)));

    private static object Row(AcceptanceCount count) => new
    {
        k = count.DraftLength,
        count.Rounds,
        count.Proposed,
        count.Accepted,
        acceptance = Number(count.Share),
        meanAcceptedLength = Number(count.MeanAcceptedLength),
    };

    private static string Percent(AcceptanceCount count) => Number(count.Share) is { } share ? $"{100 * share:F2} %" : "-";

    private static double? Number(double value) => double.IsFinite(value) ? value : null;
}
