using System.CommandLine;
using System.CommandLine.Help;
using System.Reflection;

namespace Quern.Cli;

/// <summary>Parses arguments, runs the command, and turns whatever goes wrong into one line and an exit code.</summary>
internal static class CommandLine
{
    private static readonly string[] Examples =
    [
        "quern run -m model.gguf \"Once upon a time\"",
        "quern inspect model.gguf",
        "quern bench -m model.gguf -p 512 -n 128",
    ];

    public const int Success = 0;
    public const int Failure = 1;
    public const int Usage = 2;

    /// <summary>128 + SIGINT, as a shell reports a process that Ctrl-C ended.</summary>
    public const int Interrupted = 130;

    /// <summary>128 + SIGPIPE, as a shell reports a process whose reader went away.</summary>
    public const int BrokenPipe = 141;

    /// <summary>The version of this build, without the commit.</summary>
    public static string Version { get; } =
        (typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown").Split('+')[0];

    /// <summary>Runs <c>quern</c> with <paramref name="args"/>.</summary>
    /// <returns>0; 1 when the work failed, 2 when the arguments are wrong, 130 after Ctrl-C.</returns>
    public static int Invoke(IReadOnlyList<string> args, Terminal terminal)
    {
        try
        {
            ParseResult result = Root(terminal).Parse(args);
            if (result.Errors.Count > 0) return Fail(terminal, result.Errors[0].Message + Hint(result), Usage);
            InvocationConfiguration invocation = new()
            {
                Output = terminal.Out,
                Error = terminal.Error,
                EnableDefaultExceptionHandler = false,
                // Ctrl-C is handled by the program, once for all commands.
                ProcessTerminationTimeout = null,
            };
            return result.Invoke(invocation);
        }
        catch (UsageException e)
        {
            return Fail(terminal, e, Usage);
        }
        catch (OperationCanceledException) when (terminal.Cancelled.IsCancellationRequested)
        {
            return Interrupted;
        }
        catch (IOException e) when (IsBrokenPipe(e))
        {
            // The reader went away (`quern … | head`): nobody is left to write to, and nothing is wrong.
            return BrokenPipe;
        }
        catch (Exception e)
        {
            return Fail(terminal, e, Failure);
        }
        finally
        {
            Flush(terminal);
        }
    }

    private static RootCommand Root(Terminal terminal)
    {
        RootCommand root = new("Quern runs large language models from GGUF files.");
        foreach (Func<Terminal, Command> create in CommandTable.All) root.Add(create(terminal));
        foreach (Option option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction usual }) option.Action = new TaughtHelp(usual, Examples);
            if (option is VersionOption) option.Action = new VersionLine();
        }

        root.SetAction(_ => root.Parse(["--help"]).Invoke(new InvocationConfiguration { Output = terminal.Out, Error = terminal.Error }));
        return root;
    }

    private static string Hint(ParseResult result)
    {
        string name = result.CommandResult.Command is RootCommand ? "quern" : $"quern {result.CommandResult.Command.Name}";
        return $" (see {name} --help)";
    }

    private static int Fail(Terminal terminal, Exception e, int code)
    {
        // A wrapper added by the runtime says less than what it wraps.
        Exception cause = e is TypeInitializationException { InnerException: { } inner } ? inner : e;
        Fail(terminal, cause is ArgumentException ? WithoutParameter(cause.Message) : cause.Message, code);
        if (terminal.Debug) terminal.Error.WriteLine(e);
        return code;
    }

    private static int Fail(Terminal terminal, string message, int code)
    {
        Flush(terminal);
        terminal.Error.WriteLine($"quern: {Terminal.OneLine(message)}");
        return code;
    }

    // .NET appends the name of a parameter, which says nothing to who typed a command.
    private static string WithoutParameter(string message)
    {
        int end = message.IndexOf(" (Parameter '", StringComparison.Ordinal);
        return end < 0 ? message : message[..end];
    }

    // EPIPE is 32 on every Unix that .NET runs on; ERROR_BROKEN_PIPE and ERROR_NO_DATA on Windows.
    private static bool IsBrokenPipe(IOException e) => OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 109 or 232 : e.HResult == 32;

    private static void Flush(Terminal terminal)
    {
        try
        {
            terminal.Out.Flush();
        }
        catch (IOException e) when (IsBrokenPipe(e))
        {
            // Told by the exit code already, or too late to matter.
        }
    }
}

/// <summary>The arguments are wrong in a way that the parser cannot see: exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
