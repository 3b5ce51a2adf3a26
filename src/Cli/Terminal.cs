using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Quern.Cli;

/// <summary>
/// What a command reads from and writes to, and the token that Ctrl-C cancels. Commands know only this, never <see cref="Console"/>, so that a
/// test runs them in its own process.
/// </summary>
internal sealed class Terminal
{
    public required TextReader In { get; init; }

    /// <summary>Results. UTF-8 without a byte order mark; whoever streams flushes.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>Everything that is not a result: progress, statistics, warnings, errors.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Whether a person is looking at <see cref="Error"/>: progress bars are drawn only then.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Whether standard input is a file or a pipe and not a keyboard.</summary>
    public bool InputIsRedirected { get; init; }

    /// <summary>Cancelled by the first Ctrl-C, unless that ends an answer only.</summary>
    public CancellationToken Cancelled { get; init; }

    /// <summary>What Ctrl-C does.</summary>
    public Interrupts Interrupts { get; init; } = new();

    /// <summary>Whether errors come with a stack trace (<c>QUERN_DEBUG=1</c>).</summary>
    public bool Debug { get; init; }

    /// <summary>The terminal of this process.</summary>
    public static Terminal OfProcess(Interrupts interrupts)
    {
        UTF8Encoding utf8 = new(encoderShouldEmitUTF8Identifier: false);
        return new Terminal
        {
            In = new StreamReader(Console.OpenStandardInput(), utf8),
            Out = new StreamWriter(OpenOutput(), utf8),
            Error = new StreamWriter(Console.OpenStandardError(), utf8) { AutoFlush = true },
            ErrorIsTerminal = !Console.IsErrorRedirected,
            InputIsRedirected = Console.IsInputRedirected,
            Cancelled = interrupts.Program,
            Interrupts = interrupts,
            Debug = Environment.GetEnvironmentVariable("QUERN_DEBUG") == "1",
        };
    }

    // The console's own stream swallows EPIPE, so that a text nobody reads would be generated to its end. A file keeps that stream: it shares
    // its position with standard error.
    private static Stream OpenOutput()
    {
        if (OperatingSystem.IsWindows() || !Console.IsOutputRedirected) return Console.OpenStandardOutput();
        FileStream pipe = new(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return pipe.CanSeek ? Console.OpenStandardOutput() : pipe;
    }

    /// <summary>One line to standard error.</summary>
    public void Warn(string message) => Error.WriteLine($"quern: warning: {OneLine(message)}");

    /// <summary>Puts a message on one line.</summary>
    public static string OneLine(string message) => message.ReplaceLineEndings(" ").Trim();
}
