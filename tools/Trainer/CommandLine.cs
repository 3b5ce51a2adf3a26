using System.CommandLine;
using Quern.Trainer.Commands;

namespace Quern.Trainer;

/// <summary>Parses arguments, runs the command, and turns whatever goes wrong into one line and an exit code.</summary>
internal static class CommandLine
{
    private const string Description = """
        Trains small models of the Llama architecture, from token files to a GGUF.

        quern-trainer train --config target --data corpus --out runs/target
        quern-trainer train --config draft --data corpus --out runs/draft --teacher runs/target/checkpoint.gguf
        quern-trainer train --data corpus --out runs/target --resume
        quern-trainer export runs/target/checkpoint.gguf target.gguf --type Q8_0
        quern-trainer config target > mine.json      a preset as JSON, to change and to give to --config
        """;

    /// <summary>Runs <c>quern-trainer</c>.</summary>
    /// <returns>0; 1 when the work failed, 2 when the arguments are wrong.</returns>
    public static int Invoke(IReadOnlyList<string> args, TextWriter output, TextWriter error, CancellationToken cancelled)
    {
        RootCommand root = new(Description) { TrainCommand.Create(output, cancelled), ExportCommand.Create(output), ConfigCommand.Create(output) };
        ParseResult result = root.Parse(args);
        if (result.Errors.Count > 0)
        {
            error.WriteLine($"quern-trainer: {result.Errors[0].Message} (see quern-trainer --help)");
            return 2;
        }

        try
        {
            return result.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception e) when (e is IOException or InvalidDataException or InvalidOperationException or UnauthorizedAccessException or NotSupportedException)
        {
            error.WriteLine($"quern-trainer: {e.Message}");
            return 1;
        }
    }
}
