using System.CommandLine;
using Quern.Engine;
using Quern.Engine.Evaluation;

namespace Quern.Acceptance;

/// <summary>The command: measures how many of a draft model's tokens a target model would accept, over many prompts.</summary>
internal static class AcceptanceCommand
{
    private const int Failure = 1;
    private const int Usage = 2;

    /// <summary>Runs the tool.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="output">Receives the results.</param>
    /// <param name="error">Receives errors, one line each.</param>
    /// <param name="progress">Whether somebody looks at <paramref name="error"/>, and is told how far the work is.</param>
    /// <param name="cancelled">Looked at between passes over prompts.</param>
    /// <returns>0; 1 when the work failed, 2 when the arguments are wrong.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static int Invoke(IReadOnlyList<string> args, TextWriter output, TextWriter error, bool progress, CancellationToken cancelled = default)
    {
        try
        {
            ParseResult parsed = Create(output, error, progress, cancelled).Parse(args);
            if (parsed.Errors.Count == 0)
                return parsed.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
            error.WriteLine($"quern-acceptance: {parsed.Errors[0].Message} (see --help)");
            return Usage;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException or ArgumentException or InvalidOperationException or NotSupportedException)
        {
            // .NET appends the name of a parameter, which says nothing to who typed a command.
            error.WriteLine($"quern-acceptance: {e.Message.Split(" (Parameter '")[0].ReplaceLineEndings(" ")}");
            return Failure;
        }
    }

    private static RootCommand Create(TextWriter output, TextWriter error, bool progress, CancellationToken cancelled)
    {
        Option<string> target = File("--model", "-m", "the target: the GGUF file whose text it is", required: true);
        Option<string> draft = File("--draft", "-d", "the draft: the GGUF file that proposes", required: true);
        Option<string?> prompts = File("--prompts", "-p", "prompts: a line each, or a JSON array of strings in a .json file", required: false)!;
        Option<string?> text = File("--text", "-f", "text that is cut into prompts", required: false)!;
        Option<int> promptTokens = Number("--prompt-tokens", "tokens of a prompt cut from --text", 64);
        Option<int> most = Number("--count", "the most prompts", int.MaxValue, "all");
        Option<int> predict = Number("--predict", "tokens that the target generates for each prompt", 128, null, "-n");
        Option<int[]> lengths = new("--draft-length", "-k")
        {
            Description = "tokens that the draft proposes in a round; several are measured side by side",
            DefaultValueFactory = _ => [.. new AcceptanceOptions().DraftLengths],
            AllowMultipleArgumentsPerToken = true,
            Arity = ArgumentArity.OneOrMore,
        };
        Option<int?> threads = new("--threads", "-t") { Description = "threads that compute" };
        Option<bool> exact = new("--exact") { Description = "keep activations and products in binary32" };
        Option<bool> special = new("--special") { Description = "read names of special tokens in the prompts as those tokens" };
        Option<bool> ignoreEos = new("--ignore-eos") { Description = "never let a model end its text" };
        Option<bool> json = new("--json") { Description = "write one JSON object, with every prompt" };
        RootCommand root = new("""
            Measures greedy acceptance for speculative decoding: the share of a draft model's proposals that the target accepts, and how many in a round.

            Example: quern-acceptance -m target.gguf -d draft.gguf --prompts prompts.txt -k 1 2 4 8
            """)
        {
            target, draft, prompts, text, promptTokens, most, predict, lengths, threads, exact, special, ignoreEos, json,
        };
        root.Validators.Add(result =>
        {
            if ((result.GetValue(prompts) is null) == (result.GetValue(text) is null)) result.AddError("one of --prompts and --text is needed");
        });
        root.SetAction(parsed =>
        {
            ModelOptions load = new() { Threads = parsed.GetValue(threads), Exact = parsed.GetValue(exact) };
            AcceptanceOptions options = new() { DraftLengths = parsed.GetRequiredValue(lengths), MaxTokens = parsed.GetValue(predict), IgnoreEos = parsed.GetValue(ignoreEos) };
            using QuernModel large = QuernModel.Load(parsed.GetRequiredValue(target), load);
            using QuernModel small = QuernModel.Load(parsed.GetRequiredValue(draft), load);
            GreedyAcceptance acceptance = new(large, small, options);
            PromptSource source = new(large, parsed.GetValue(special));
            IEnumerable<int[]> all = parsed.GetValue(prompts) is { } path
                ? source.FromPrompts(path)
                : source.FromText(parsed.GetValue(text)!, Math.Min(parsed.GetValue(promptTokens), acceptance.MostPromptTokens));
            AcceptanceReport report = new(large.File.Path, small.File.Path, load.Exact ? "exact" : "fast", options.MaxTokens);
            foreach (int[] prompt in all.Take(parsed.GetValue(most)))
            {
                report.Add(acceptance.Measure(prompt, cancelled));
                if (progress) error.Write($"\r{report.Prompts} prompts");
            }

            if (progress) error.Write("\r\u001b[K");
            if (parsed.GetValue(json)) report.WriteJson(output);
            else report.WriteTable(output);
            return 0;
        });
        return root;
    }

    private static Option<string> File(string name, string alias, string description, bool required) =>
        new(name, alias) { Description = description, HelpName = "FILE", Required = required };

    private static Option<int> Number(string name, string description, int standard, string? standardName = null, params string[] aliases)
    {
        Option<int> option = new(name, aliases)
        {
            Description = $"{description} [default: {standardName ?? $"{standard}"}]",
            HelpName = "N",
            DefaultValueFactory = _ => standard,
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, out int value) && value < 1) result.AddError($"{name} is {value}; expected at least 1");
        });
        return option;
    }
}
