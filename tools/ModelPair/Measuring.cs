using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Quern.Acceptance;
using Quern.Cli;
using Quern.Corpus.Building;

namespace Quern.ModelPair;

/// <summary>Measures a pair with the commands that everybody has, <c>quern</c> and <c>quern-acceptance</c>, in this process.</summary>
internal sealed class Measuring(PairRecipe recipe, PairFolders folders, TextWriter output, CancellationToken cancelled)
{
    /// <summary>Documents of the sample that a test measures again.</summary>
    private const int TestedDocuments = 4;

    /// <summary>Measures, or takes what was measured of the same two files.</summary>
    public PairMeasurements Run()
    {
        (string target, string draft) = (Hash(folders.TargetModel), Hash(folders.DraftModel));
        if (File.Exists(folders.Measurements))
        {
            PairMeasurements found = PairMeasurements.Parse(File.ReadAllText(folders.Measurements), folders.Measurements);
            if (found.TargetHash == target && found.DraftHash == draft)
            {
                output.WriteLine($"measured: done, {folders.Measurements}");
                return found;
            }
        }

        string whole = Path.Combine(folders.Corpus, CorpusBuild.HeldOutTextName);
        PairMeasurements measured = new(
            target, draft,
            [
                HeldOut(folders.TargetModel, whole, "held-out text", recipe.MeasuredDocuments),
                HeldOut(folders.DraftModel, whole, "held-out text", recipe.MeasuredDocuments),
                HeldOut(folders.TargetModel, folders.Sample, "sample", recipe.MeasuredDocuments),
                HeldOut(folders.DraftModel, folders.Sample, "sample", recipe.MeasuredDocuments),
                HeldOut(folders.TargetModel, folders.Sample, "its beginning", TestedDocuments),
                HeldOut(folders.DraftModel, folders.Sample, "its beginning", TestedDocuments),
            ],
            Accept(), [.. SamplePrompts.All.Select(Say)]);
        File.WriteAllText(folders.Measurements, measured.ToJson());
        return measured;
    }

    private LikelihoodFigures HeldOut(string model, string text, string name, int? documents)
    {
        string[] options = ["--documents", "--exact", .. documents is { } most ? ["--chunks", Number(most)] : Array.Empty<string>()];
        JsonElement json = Quern(["perplexity", "-m", model, "-f", text, .. options, "--json"]);
        string file = text == folders.Sample ? "src/Cli/Models/heldout.txt" : "DIR/corpus/heldout.txt";
        string which = model == folders.TargetModel ? "" : $"-m src/Cli/Models/{Path.GetFileName(model)} ";
        LikelihoodFigures figures = new(
            Path.GetFileName(model), name, $"quern perplexity {which}-f {file} {string.Join(' ', options)}", json.GetProperty("chunks").GetArrayLength(),
            json.GetProperty("scored_tokens").GetInt64(), Real(json, "nll"), Real(json, "nll_standard_error"),
            Real(json, "perplexity"), Real(json, "perplexity_standard_error"), Real(json, "bits_per_byte"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{figures.Model}, {name}: {figures.Nll:f5} ± {figures.NllError:f5} nats a token"));
        return figures;
    }

    private AcceptanceFigures Accept()
    {
        string[] args = ["-m", folders.TargetModel, "-d", folders.DraftModel, "-p", folders.Prompts, "--special", "-n", Number(recipe.PromptPredictions), "-k", "1", "2", "4", "8", "--json"];
        using StringWriter text = new(), error = new();
        if (AcceptanceCommand.Invoke(args, text, error, progress: false, cancelled) != 0) throw new InvalidOperationException(error.ToString().Trim());
        using JsonDocument json = JsonDocument.Parse(text.ToString());
        AcceptanceFigures figures = new(
            json.RootElement.GetProperty("prompts").GetInt32(), recipe.PromptPredictions, json.RootElement.GetProperty("generated_tokens").GetInt64(),
            [.. json.RootElement.GetProperty("results").EnumerateArray().Select(row => new AcceptanceRow(
                row.GetProperty("k").GetInt32(), row.GetProperty("rounds").GetInt64(), row.GetProperty("proposed").GetInt64(), row.GetProperty("accepted").GetInt64(),
                Real(row, "acceptance"), Real(row, "mean_accepted_length")))]);
        foreach (AcceptanceRow row in figures.Rows)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"acceptance at k = {row.DraftLength}: {row.Share:p1} of {row.Proposed} proposals"));
        return figures;
    }

    private SampleText Say(SamplePrompt prompt)
    {
        JsonElement json = Quern(["run", "-m", folders.TargetModel, .. prompt.Options, "--json", prompt.Text]);
        return new SampleText(prompt.Options, prompt.Text, json.GetProperty("text").GetString()!, json.GetProperty("finish_reason").GetString()!);
    }

    private JsonElement Quern(string[] args)
    {
        cancelled.ThrowIfCancellationRequested();
        using StringWriter text = new(), error = new();
        Terminal terminal = new() { In = TextReader.Null, Out = text, Error = error, Cancelled = cancelled };
        int code = CommandLine.Invoke(args, terminal);
        cancelled.ThrowIfCancellationRequested();
        return code == CommandLine.Success ? JsonDocument.Parse(text.ToString()).RootElement : throw new InvalidOperationException(error.ToString().Trim());
    }

    private static string Hash(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    // What a run of nothing has no value for is left out of the JSON.
    private static double Real(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : 0;
}
