using System.CommandLine;
using Quern.Cli.Commands;

namespace Quern.Cli;

/// <summary>The commands of <c>quern</c>, in the order of its help. A new one is a file in Commands and a line here.</summary>
internal static class CommandTable
{
    public static IReadOnlyList<Func<Terminal, Command>> All { get; } =
    [
        RunCommand.Create,
        ChatCommand.Create,
        EmbedCommand.Create,
        InspectCommand.Create,
        TokenizeCommand.Create,
        LogitsCommand.Create,
        BenchCommand.Create,
        PerplexityCommand.Create,
        QuantizeCommand.Create,
    ];
}
