using System.CommandLine;
using System.Globalization;
using Quern.Gguf;
using Quern.Kernels.Cpu.Formats;
using Quern.Trainer.Files;
using Quern.Trainer.Model;
using Quern.Trainer.Products;
using Quern.Trainer.Runs;

namespace Quern.Trainer.Commands;

/// <summary><c>quern-trainer export</c>.</summary>
internal static class ExportCommand
{
    public static Command Create(TextWriter output)
    {
        Argument<string> checkpoint = new("checkpoint") { Description = "checkpoint.gguf of a run" };
        Argument<string> path = new("output") { Description = "the GGUF file to write" };
        Option<string> type = new("--type") { Description = "Format of the matrices: F32, F16, Q8_0, …", DefaultValueFactory = _ => "Q8_0" };
        Option<string> name = new("--name") { Description = "The model's name; the configuration's where absent." };
        Command command = new("export", "Write a checkpoint as a llama GGUF that quern run and every other engine reads.") { checkpoint, path, type, name };
        command.SetAction(result =>
        {
            Export(result.GetRequiredValue(checkpoint), result.GetRequiredValue(path), result.GetRequiredValue(type), result.GetValue(name), output);
            return 0;
        });
        return command;
    }

    /// <summary>Writes a checkpoint as a llama GGUF.</summary>
    public static void Export(string checkpoint, string path, string type, string? name, TextWriter output)
    {
        WeightFormat format = FormatTable.Find(type)
            ?? throw new InvalidDataException($"--type is '{type}'; expected one of {string.Join(", ", FormatTable.All.Select(known => known.Info.Name))}");
        if (!File.Exists(checkpoint)) throw new InvalidDataException($"{checkpoint}: there is no such file; expected a checkpoint");
        using GgufFile file = GgufFile.Open(checkpoint);
        TrainerConfig config = Checkpoint.Config(file);
        using Crew crew = new(1);
        using Network<float> network = new(config.Model, crew);
        Checkpoint.ReadWeights(file, network);
        LlamaFile.Write(path, name ?? config.Name, network, TokenizerKeys.Read(file, config.Model.Vocabulary), format);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{path}: {network.Layout.Count / 1e6:f2} M parameters in {format.Info.Name}, {new FileInfo(path).Length / 1e6:f2} MB, after {Checkpoint.Progress(file).Step} steps"));
    }
}
