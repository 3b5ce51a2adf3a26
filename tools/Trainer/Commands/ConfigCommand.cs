using System.CommandLine;
using Quern.Trainer.Runs;

namespace Quern.Trainer.Commands;

/// <summary><c>quern-trainer config</c>.</summary>
internal static class ConfigCommand
{
    public static Command Create(TextWriter output)
    {
        Argument<string> name = new("name") { Description = $"a preset ({string.Join(", ", TrainerConfig.Presets.Keys)}) or a JSON file" };
        Command command = new("config", "Print a configuration as JSON, with every default.") { name };
        command.SetAction(result =>
        {
            output.WriteLine(TrainerConfig.Find(result.GetRequiredValue(name)).ToJson());
            return 0;
        });
        return command;
    }
}
