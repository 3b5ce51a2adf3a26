using System.CommandLine;

namespace Quern.Cli.Options;

/// <summary>Text from an argument, from a file (<c>-f</c>), or from standard input (<c>-f -</c>, or a pipe).</summary>
internal sealed class TextSource
{
    public TextSource(string name, string description)
    {
        Text = new Argument<string?>(name) { Description = description, Arity = ArgumentArity.ZeroOrOne };
        File = new Option<string?>("--file", "-f") { Description = $"Read the {name} from a file; '-' is standard input.", HelpName = "FILE" };
    }

    public Argument<string?> Text { get; }

    public Option<string?> File { get; }

    public void AddTo(Command command)
    {
        command.Add(Text);
        command.Add(File);
    }

    /// <summary>The text, or null where none is given.</summary>
    /// <exception cref="UsageException">It is given twice.</exception>
    public string? Read(Terminal terminal, ParseResult result)
    {
        (string? text, string? file) = (result.GetValue(Text), result.GetValue(File));
        if (text is not null && file is not null) throw new UsageException($"the {Text.Name} is given twice, as an argument and with -f {file}; expected one");
        return text ?? (file is null ? (terminal.InputIsRedirected ? terminal.In.ReadToEnd() : null) : file == "-" ? terminal.In.ReadToEnd() : System.IO.File.ReadAllText(file));
    }
}
