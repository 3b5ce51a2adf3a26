using System.Text.Json;

namespace Quern.Cli.Tests;

/// <summary>What a run of <c>quern</c> in this process left behind.</summary>
internal sealed record QuernProcess(int ExitCode, string Out, string Error)
{
    public static QuernProcess Run(params string[] args) => Piped(null, CancellationToken.None, args);

    public static QuernProcess Piped(string? input, CancellationToken cancelled, params string[] args)
    {
        using StringReader reader = new(input ?? "");
        using StringWriter output = new();
        return Run(reader, output, input is not null, cancelled, args);
    }

    public static QuernProcess Run(TextReader input, TextWriter output, bool redirected, CancellationToken cancelled, params string[] args)
    {
        using StringWriter error = new();
        Terminal terminal = new() { In = input, Out = output, Error = error, InputIsRedirected = redirected, Cancelled = cancelled };
        int code = CommandLine.Invoke(args, terminal);
        return new QuernProcess(code, output.ToString() ?? "", error.ToString());
    }

    /// <summary>Standard output as JSON; the run must have gone well.</summary>
    public JsonElement Json()
    {
        Assert.True(ExitCode is 0 or 130, $"exit code {ExitCode}: {Error}");
        return JsonDocument.Parse(Out).RootElement;
    }

    /// <summary>Asserts one line on standard error with all of <paramref name="parts"/>, nothing on standard output, and the exit code.</summary>
    public void AssertFails(int code, params string[] parts)
    {
        Assert.Equal("", Out);
        Assert.Equal(code, ExitCode);
        string line = Assert.Single(Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("quern: ", line, StringComparison.Ordinal);
        Assert.All(parts, part => Assert.Contains(part, line, StringComparison.Ordinal));
    }
}
