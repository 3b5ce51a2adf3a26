using System.CommandLine;
using System.Text;
using Quern.Cli.Options;
using Quern.Cli.Output;
using Quern.Engine;

namespace Quern.Cli.Commands;

/// <summary><c>quern run</c>: goes on from a prompt.</summary>
internal static class RunCommand
{
    public static Command Create(Terminal terminal)
    {
        ModelArguments model = new();
        SamplingArguments sampling = new();
        SpeculationArguments speculation = new();
        TextSource prompt = new("prompt", "The text to go on from.");
        Option<int?> tokens = new("--predict", "-n") { Description = "The most tokens to generate [default: until the text ends or the context is full].", HelpName = "N" };
        Option<string[]> stop = new("--stop") { Description = "End before this text; may be given several times.", HelpName = "TEXT", Arity = ArgumentArity.OneOrMore };
        Option<bool> ignoreEos = new("--ignore-eos") { Description = "Never let the model end its text." };
        Option<bool> special = new("--special") { Description = "Read names of special tokens in the prompt as those tokens." };
        Option<bool> json = new("--json") { Description = "Write one JSON object at the end instead of text as it comes." };
        tokens.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, out int value) && value < -1)
                result.AddError($"-n is {value}; expected at least 0, or -1 for no limit");
        });
        stop.AllowMultipleArgumentsPerToken = false;
        TaughtCommand command = new(
            "run", "Generate text from a prompt.",
            "quern run \"Once upon a time\"",
            "quern run --special --temp 0 $'<|im_start|>user\\nWhat is 3 + 4?<|im_end|>\\n<|im_start|>assistant\\n'",
            "quern run -m model.gguf -f prompt.txt --stop \"###\" > answer.txt",
            "quern run -m flan-t5-base.gguf --temp 0 \"translate English to German: The house is small.\"",
            "quern run --speculate model --temp 0 \"Once upon a time\"",
            "echo \"The capital of France is\" | quern run -m model.gguf -n 8 --json");
        prompt.AddTo(command);
        model.AddTo(command);
        foreach (Option option in new Option[] { tokens, stop, ignoreEos, special, json }) command.Add(option);
        speculation.AddTo(command);
        sampling.AddTo(command);
        command.SetAction(result =>
        {
            string path = model.PathOf(result, prompt);
            string text = prompt.Read(terminal, result) ?? "";
            GenerationOptions options = new()
            {
                MaxTokens = result.GetValue(tokens) is int limit and not -1 ? limit : null,
                Sampling = sampling.Read(result),
                Stop = result.GetValue(stop) ?? [],
                IgnoreEos = result.GetValue(ignoreEos),
                ParseSpecial = result.GetValue(special),
            };
            if (options.Stop.Contains("")) throw new UsageException("--stop is empty; expected a text");
            using QuernModel loaded = ModelArguments.Load(terminal, path, model.Read(result));
            SpeculationOptions? proposing = speculation.Read(result, terminal, loaded, path);
            using QuernModel? draft = proposing?.Draft;
            EngineStatistics? engine = null;
            return Run(terminal, path, loaded, text, Pieces(terminal, loaded, text, options, proposing, end => engine = end), () => engine, result.GetValue(json));
        });
        return command;
    }

    private static IEnumerable<GeneratedText> Pieces(Terminal terminal, QuernModel model, string prompt, GenerationOptions options, SpeculationOptions? speculation, Action<EngineStatistics> atEnd)
    {
        if (speculation is null)
        {
            using Session session = model.CreateSession();
            foreach (GeneratedText piece in session.Generate(prompt, options, terminal.Cancelled)) yield return piece;
            yield break;
        }

        InferenceEngine engine = new(model, new EngineOptions { MaxSequences = 1, Speculation = speculation });
        try
        {
            foreach (GeneratedText piece in engine.GenerateAsync(prompt, options, terminal.Cancelled).ToBlockingEnumerable()) yield return piece;
        }
        finally
        {
            atEnd(engine.Statistics);
            engine.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static int Run(Terminal terminal, string path, QuernModel model, string prompt, IEnumerable<GeneratedText> pieces, Func<EngineStatistics?> engine, bool json)
    {
        StringBuilder text = new();
        List<int> tokens = [];
        GeneratedText last = default;
        foreach (GeneratedText piece in pieces)
        {
            last = piece;
            text.Append(piece.Text);
            if (piece.Token != Generation.None) tokens.Add(piece.Token);
            if (json || piece.Text.Length == 0) continue;
            terminal.Out.Write(piece.Text);
            terminal.Out.Flush();
        }

        GenerationStatistics cost = last.Statistics!.Value;
        RunStatistics statistics = RunStatistics.Of(model, cost, engine() ?? default);
        string finish = last.Finish!.Value.ToString().ToLowerInvariant();
        if (json)
        {
            JsonOutput.Write(terminal, new RunReport(path, prompt, text.ToString(), tokens, finish, cost.Seed, statistics), shapes => shapes.RunReport);
        }
        else
        {
            terminal.Out.WriteLine();
            terminal.Out.Flush();
            terminal.Error.WriteLine();
            statistics.Write(terminal.Error, finish);
        }

        return last.Finish == FinishReason.Cancelled ? CommandLine.Interrupted : CommandLine.Success;
    }
}
