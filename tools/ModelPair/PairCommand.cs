using System.CommandLine;

namespace Quern.ModelPair;

/// <summary>The command: parses arguments, builds the pair, and turns whatever goes wrong into one line and an exit code.</summary>
internal static class PairCommand
{
    private const int Failure = 1;
    private const int Usage = 2;

    /// <summary>128 + SIGINT, as a shell reports a process that Ctrl-C ended.</summary>
    private const int Interrupted = 130;

    private const string Description = """
        Makes the pair of models that ships with Quern, from nothing but this repository: builds the corpus, trains the target, trains the draft with
        the target as its teacher, writes both in Q8_0, measures held-out perplexity and greedy acceptance, and writes the model card.

        The whole takes about two hours on two cores. Ctrl-C saves and stops; the same command goes on where it stopped, with the same bits as if it had
        not. What is done already is skipped.

        quern-model-pair --out pair                     the pair, its card and every number in it
        quern-model-pair --out small --miniature        the same path in seconds, with models that have learnt nothing

        In DIR:
          corpus/                                       what quern-corpus writes
          target/, draft/                               checkpoint.gguf, log.csv, loss.svg of each training
          models/                                       the two GGUF files, README.md (their card), heldout.txt (a sample of the held-out text)
          prompts.json, measurements.json               what acceptance was measured on, and every number of the card
        """;

    /// <summary>Runs <c>quern-model-pair</c>.</summary>
    /// <returns>0; 1 when the work failed, 2 when the arguments are wrong, 130 after Ctrl-C.</returns>
    public static int Invoke(IReadOnlyList<string> args, TextWriter output, TextWriter error, CancellationToken cancelled)
    {
        Option<string> folder = new("--out") { Description = "folder for everything; made where it is missing", HelpName = "DIR", Required = true };
        Option<bool> miniature = new("--miniature") { Description = "a small corpus, tiny models and few steps: to see that the path works" };
        Option<int> threads = new("--threads") { Description = "threads; the models do not depend on them", DefaultValueFactory = _ => Environment.ProcessorCount };
        threads.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, out int value) && value < 1) result.AddError($"--threads is {value}; expected at least 1");
        });
        RootCommand root = new(Description) { folder, miniature, threads };
        root.SetAction(result =>
        {
            PairRecipe recipe = result.GetValue(miniature) ? PairRecipe.Miniature : PairRecipe.Full;
            new PairBuild(recipe, new PairFolders(result.GetRequiredValue(folder)), result.GetValue(threads), output, cancelled).Run();
            return 0;
        });
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            error.WriteLine($"quern-model-pair: {parsed.Errors[0].Message} (see quern-model-pair --help)");
            return Usage;
        }

        try
        {
            return parsed.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (OperationCanceledException) when (cancelled.IsCancellationRequested)
        {
            error.WriteLine("quern-model-pair: stopped; the same command goes on");
            return Interrupted;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or InvalidOperationException or UnauthorizedAccessException or NotSupportedException)
        {
            error.WriteLine($"quern-model-pair: {e.Message.ReplaceLineEndings(" ")}");
            return Failure;
        }
    }
}
