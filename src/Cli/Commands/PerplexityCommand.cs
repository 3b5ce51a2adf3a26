using System.CommandLine;
using Quern.Cli.Options;
using Quern.Cli.Output;
using Quern.Engine;
using Quern.Engine.Evaluation;

namespace Quern.Cli.Commands;

/// <summary><c>quern perplexity</c>: how well a model predicts a text, in the manner of llama.cpp's perplexity tool.</summary>
internal static class PerplexityCommand
{
    public static Command Create(Terminal terminal)
    {
        ModelArguments model = new();
        TextSource text = new("text", "The text to predict.");
        Option<int?> context = new("--context", "--ctx-size", "-c")
        {
            Description = $"Tokens of a chunk [default: {PerplexityOptions.DefaultContextLength}, or the model's context if that is shorter].",
            HelpName = "N",
        };
        Option<int?> stride = new("--stride", "--ppl-stride") { Description = "Tokens from one chunk to the next, all of them scored [default: chunks side by side, the second half of each scored].", HelpName = "N" };
        Option<int?> scored = new("--scored") { Description = "Tokens scored at the end of each chunk.", HelpName = "N" };
        Option<int?> chunks = new("--chunks") { Description = "The most chunks, or documents, to measure [default: all].", HelpName = "N" };
        Option<bool> special = new("--special") { Description = "Read names of special tokens in the text as those tokens." };
        Option<bool> documents = new("--documents")
        {
            Description = "Predict each document of the text by itself, and score it whole: one begins at each token for the beginning of a text. Implies --special.",
        };
        Option<bool> json = new("--json") { Description = "Write one JSON object, with every chunk." };
        foreach (Option<int?> option in new[] { context, stride, scored, chunks }) ModelArguments.Positive(option);
        TaughtCommand command = new(
            "perplexity", "Measure how well a model predicts a text.",
            "quern perplexity -m model.gguf -f text.txt",
            "quern perplexity -m model.gguf -f text.txt --context 2048 --chunks 20",
            "quern perplexity -m model.gguf -f text.txt --stride 256 --exact",
            "quern perplexity -m model.gguf -f chats.txt --special --json | jq .perplexity",
            "quern perplexity -m model.gguf -f heldout.txt --documents");
        text.AddTo(command);
        model.AddTo(command, model.Context);
        foreach (Option option in new Option[] { context, stride, scored, chunks, special, documents, json }) command.Add(option);
        command.SetAction(result =>
        {
            string path = model.PathOf(result, text);
            string input = text.Read(terminal, result) ?? throw new UsageException("perplexity needs a text, or -f FILE (see quern perplexity --help)");
            bool whole = result.GetValue(documents);
            foreach (Option<int?> option in new[] { context, stride, scored })
                if (whole && result.GetValue(option) is not null) throw new UsageException($"{option.Name} and --documents exclude each other: a document is whole, and scored whole");
            PerplexityOptions options = new()
            {
                Documents = whole,
                ContextLength = result.GetValue(context),
                Stride = result.GetValue(stride),
                ScoredTokens = result.GetValue(scored),
                MostChunks = result.GetValue(chunks),
            };
            using QuernModel loaded = ModelArguments.Load(terminal, path, model.Read(result) with { ContextLength = options.ContextLength });
            Perplexity perplexity = new(loaded, Perplexity.Tokenize(loaded, input, whole || result.GetValue(special)), options);
            return Measure(terminal, path, ModelArguments.Mode(loaded), loaded, perplexity, result.GetValue(json));
        });
        return command;
    }

    private static int Measure(Terminal terminal, string path, string mode, QuernModel model, Perplexity perplexity, bool json)
    {
        List<PerplexityChunk> measured = [];
        try
        {
            foreach (PerplexityChunk chunk in perplexity.Run(terminal.Cancelled))
            {
                measured.Add(chunk);
                if (terminal.ErrorIsTerminal) terminal.Error.Write($"\r{Progress(perplexity, measured)}\u001b[K");
            }
        }
        catch (OperationCanceledException)
        {
            // What was measured before Ctrl-C is as good as ever.
        }

        if (terminal.ErrorIsTerminal) terminal.Error.Write("\r\u001b[K");
        PerplexityReport report = PerplexityReport.Of(path, mode, model.PromptError, perplexity, measured);
        if (json) JsonOutput.Write(terminal, report, shapes => shapes.PerplexityReport);
        else report.Write(terminal.Out);
        return report.Complete ? CommandLine.Success : CommandLine.Interrupted;
    }

    private static string Progress(Perplexity perplexity, List<PerplexityChunk> measured)
    {
        LikelihoodEstimate total = measured[^1].Total;
        TimeSpan left = measured.Aggregate(TimeSpan.Zero, (sum, chunk) => sum + chunk.Time) / measured.Count * (perplexity.ChunkCount - measured.Count);
        return $"{(perplexity.Stride is null ? "document" : "chunk")} {measured.Count}/{perplexity.ChunkCount}: perplexity {total.Perplexity:F4} ± {total.PerplexityStandardError:F4}, "
            + $"{Units.Rate(PerplexityReport.Speed(measured))} tok/s, {Units.Seconds(left)} left";
    }
}
