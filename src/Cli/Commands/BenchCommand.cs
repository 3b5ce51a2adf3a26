using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Quern.Cli.Bench;
using Quern.Cli.Options;
using Quern.Engine;
using Quern.Kernels.Cpu;

namespace Quern.Cli.Commands;

/// <summary><c>quern bench</c>: the speed of prompts and of generated tokens, in the manner of llama-bench.</summary>
internal static class BenchCommand
{
    public static Command Create(Terminal terminal)
    {
        ModelArguments model = new();
        Option<int[]> prompts = List("-p", "--n-prompt", "Tokens of a prompt; 0 for no such test.", 0, 512);
        Option<int[]> generated = List("-n", "--n-gen", "Tokens generated; 0 for no such test.", 0, 128);
        Option<int[]> depths = List("-d", "--n-depth", "Tokens in the context before.", 0, 0);
        Option<int[]> sequences = List("-s", "--sequences", "Sequences that generate at once, by the engine; the speed is of all together.", 1, 1);
        Option<int[]> threads = List("-t", "--threads", "Threads that compute.", 1, MachineInfo.CoreCount);
        Option<int> repetitions = new("--repetitions", "-r") { Description = "How often each test is measured.", HelpName = "N", DefaultValueFactory = _ => 5 };
        Option<string> output = new("--output", "-o") { Description = "md, json or csv.", HelpName = "FORMAT", DefaultValueFactory = _ => "md" };
        output.AcceptOnlyFromAmong([.. BenchOutput.Formats.Select(format => format.Name)]);
        ModelArguments.Positive(repetitions);
        TaughtCommand command = new(
            "bench", "Measure the speed of prompts and of generated tokens.",
            "quern bench -m model.gguf",
            "quern bench -m model.gguf -p 512,2048 -n 128 -d 0,4096",
            "quern bench -m model.gguf -p 0 -n 64 -s 1,4,16",
            "quern bench -m model.gguf -t 1,2,4 -r 10 -o csv > speed.csv");
        model.AddTo(command, model.Threads, model.Context, model.PreTokenizer);
        foreach (Option option in new Option[] { prompts, generated, depths, sequences, threads, repetitions, output }) command.Add(option);
        command.SetAction(result =>
        {
            string path = model.PathOf(result);
            IReadOnlyList<BenchTest> tests = BenchTest.Of(
                result.GetRequiredValue(prompts), result.GetRequiredValue(generated), result.GetRequiredValue(depths), result.GetRequiredValue(sequences));
            if (tests.Count == 0) throw new UsageException("there is nothing to measure: -p and -n are both 0");
            BenchOutput writer = BenchOutput.Formats.First(format => format.Name == result.GetRequiredValue(output)).Create(terminal);
            ModelOptions options = model.Read(result) with
            {
                ContextLength = tests.Max(test => test.ContextLength),
                CacheTokens = tests.Max(test => test.Sequences * KvLayout.PagesFor(test.ContextLength) * KvLayout.PageTokens),
            };
            try
            {
                int[] counts = options.Processors is { } processors && result.GetResult(threads) is null or { Implicit: true } ? [processors.Count] : result.GetRequiredValue(threads);
                foreach (int count in counts)
                    Measure(terminal, path, options with { Threads = count }, tests, result.GetValue(repetitions), writer);
            }
            catch (OperationCanceledException)
            {
                // What was measured before Ctrl-C is as good as ever.
                writer.End();
                throw;
            }

            writer.End();
            return CommandLine.Success;
        });
        return command;
    }

    private static void Measure(
        Terminal terminal, string path, ModelOptions options, IReadOnlyList<BenchTest> tests, int repetitions, BenchOutput writer)
    {
        // A context longer than the model's own is no reason to warn: nobody reads the text.
        using QuernModel model = ModelArguments.Load(terminal, path, options, warn: false);
        BenchRunner runner = new(model, path, repetitions, terminal.Cancelled);
        foreach (BenchTest test in tests)
        {
            writer.Add(runner.Run(test, i =>
            {
                if (terminal.ErrorIsTerminal) terminal.Error.Write($"\r{test.Name}, {model.Threads} threads: {(i < 0 ? "warm-up" : $"{i + 1}/{repetitions}")}   ");
            }));
            if (terminal.ErrorIsTerminal) terminal.Error.Write("\r\u001b[K");
        }
    }

    private static Option<int[]> List(string alias, string name, string description, int smallest, int standard) => new(name, alias)
    {
        Description = $"{description} Several, with commas, for several tests.",
        HelpName = "N[,N...]",
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => [standard],
        CustomParser = argument => Parse(argument, alias, smallest),
    };

    private static int[] Parse(ArgumentResult argument, string alias, int smallest)
    {
        List<int> values = [];
        foreach (string text in argument.Tokens.SelectMany(token => token.Value.Split(',')))
        {
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= smallest) values.Add(value);
            else argument.AddError($"{alias} is '{text}'; expected a whole number, at least {smallest}, or several with commas");
        }

        return [.. values];
    }
}
