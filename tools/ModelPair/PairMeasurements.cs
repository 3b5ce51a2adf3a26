using System.Text.Json;

namespace Quern.ModelPair;

/// <summary>Every number and text of the card that was measured.</summary>
/// <param name="TargetHash">SHA-256 of the target's file.</param>
/// <param name="DraftHash">SHA-256 of the draft's file.</param>
/// <param name="HeldOut">How well both predict the held-out text.</param>
/// <param name="Acceptance">How much of the draft's text the target accepts.</param>
/// <param name="Samples">What the target says.</param>
internal sealed record PairMeasurements(
    string TargetHash, string DraftHash, IReadOnlyList<LikelihoodFigures> HeldOut, AcceptanceFigures Acceptance, IReadOnlyList<SampleText> Samples)
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, NewLine = "\n" };

    public string ToJson() => JsonSerializer.Serialize(this, Json) + "\n";

    /// <summary>What <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It is something else.</exception>
    public static PairMeasurements Parse(string json, string source)
    {
        try
        {
            return JsonSerializer.Deserialize<PairMeasurements>(json, Json) ?? throw new InvalidDataException($"{source}: expected measurements");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{source}: {e.Message}; delete it to measure again", e);
        }
    }
}

/// <summary>What <c>quern perplexity</c> said.</summary>
/// <param name="Model">The model's file name.</param>
/// <param name="Text">The text, and how much of it.</param>
/// <param name="Command">The command, as one types it in the root of the repository.</param>
/// <param name="Documents">Documents, each predicted by itself.</param>
/// <param name="ScoredTokens">Tokens scored, in all.</param>
/// <param name="Nll">Nats for a token.</param>
/// <param name="NllError">Its standard error.</param>
/// <param name="Perplexity">e to the power of that.</param>
/// <param name="PerplexityError">Its standard error.</param>
/// <param name="BitsPerByte">The same for a byte of the text.</param>
internal sealed record LikelihoodFigures(
    string Model, string Text, string Command, int Documents, long ScoredTokens, double Nll, double NllError, double Perplexity, double PerplexityError, double BitsPerByte);

/// <summary>What <c>quern-acceptance</c> said.</summary>
/// <param name="Prompts">Prompts.</param>
/// <param name="MostTokens">The most tokens behind each.</param>
/// <param name="GeneratedTokens">Tokens of the target, in all.</param>
/// <param name="Rows">A row for each k.</param>
internal sealed record AcceptanceFigures(int Prompts, int MostTokens, long GeneratedTokens, IReadOnlyList<AcceptanceRow> Rows);

/// <summary>Rounds with one draft length.</summary>
internal sealed record AcceptanceRow(int DraftLength, long Rounds, long Proposed, long Accepted, double Share, double MeanLength);

/// <summary>What the target said.</summary>
/// <param name="Options">Options of <c>quern run</c>.</param>
/// <param name="Prompt">What it went on from.</param>
/// <param name="Text">What it said.</param>
/// <param name="Finish">Why it ended.</param>
internal sealed record SampleText(IReadOnlyList<string> Options, string Prompt, string Text, string Finish);
