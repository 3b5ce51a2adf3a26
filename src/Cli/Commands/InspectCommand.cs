using System.CommandLine;
using Quern.Cli.Options;
using Quern.Cli.Output;
using Quern.Engine;
using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.Models;

namespace Quern.Cli.Commands;

/// <summary><c>quern inspect</c>: what is in a GGUF file, which architectures run, or what this machine can do.</summary>
internal static class InspectCommand
{
    private const int MostElements = 64;

    public static Command Create(Terminal terminal)
    {
        Argument<string?> file = new("FILE") { Description = ModelArguments.DescriptionOfFile, Arity = ArgumentArity.ZeroOrOne };
        Option<bool> tensors = new("--tensors") { Description = "List every tensor." };
        Option<bool> full = new("--full") { Description = $"Write arrays whole: otherwise JSON has their first {MostElements} elements." };
        Option<bool> machine = new("--machine") { Description = "Show processor, instruction set, threads and memory of this machine." };
        Option<bool> architectures = new("--architectures") { Description = "Show the architectures that run, and the variants of each that are tested against other engines." };
        Option<bool> json = new("--json") { Description = "Write one JSON object." };
        TaughtCommand command = new(
            "inspect", "Show what is in a GGUF file: metadata, and tensors by type.",
            "quern inspect model.gguf",
            "quern inspect model.gguf --tensors",
            "quern inspect model.gguf --json | jq .types",
            "quern inspect --machine",
            "quern inspect --architectures")
        { file, tensors, full, machine, architectures, json };
        command.SetAction(result =>
        {
            if (result.GetValue(architectures)) ShowArchitectures(terminal, result.GetValue(json));
            else if (result.GetValue(machine)) ShowMachine(terminal, result.GetValue(json));
            else ShowFile(terminal, result.GetValue(file) ?? ShippedModels.PathOf(ShippedModels.TargetName), result.GetValue(json), result.GetValue(tensors), result.GetValue(full));
            return CommandLine.Success;
        });
        return command;
    }

    private static void ShowFile(Terminal terminal, string path, bool json, bool tensors, bool full)
    {
        using GgufFile file = GgufFile.Open(path);
        FileReport report = Report(file, tensors, full ? int.MaxValue : MostElements);
        if (json) JsonOutput.Write(terminal, report, shapes => shapes.FileReport);
        else Write(terminal.Out, file, report);
    }

    private static FileReport Report(GgufFile file, bool tensors, int mostElements)
    {
        List<TypeReport> types = [.. file.Tensors
            .GroupBy(tensor => tensor.TypeName)
            .Select(group => new TypeReport(group.Key, group.Count(), group.Sum(tensor => tensor.ElementCount), group.Sum(tensor => tensor.ByteLength)))
            .OrderByDescending(type => type.Bytes)];
        long parameters = types.Sum(type => type.Parameters);
        long bytes = types.Sum(type => type.Bytes);
        return new FileReport(
            file.Path, file.Version, file.Alignment, file.FileBytes, file.PartPaths.Count > 1 ? file.PartPaths : null,
            Text(file, "general.architecture"), Text(file, "general.name"), parameters, bytes, parameters == 0 ? 0 : Math.Round(8.0 * bytes / parameters, 3),
            [.. file.Metadata.Entries.Select(entry => new MetadataReport(
                entry.Key, entry.TypeName, entry.ElementType is null ? null : entry.Count, Printable.Json(entry.Read(), mostElements)))],
            types,
            tensors ? [.. file.Tensors.Select(tensor => new TensorReport(tensor.Name, tensor.TypeName, tensor.Dimensions, tensor.ByteLength, tensor.Part, tensor.Offset))] : null);
    }

    private static void Write(TextWriter writer, GgufFile file, FileReport report)
    {
        TextTable summary = new(false, false);
        summary.Add("file", Printable.Name(report.File));
        summary.Add("format", $"GGUF {report.Version}, {Units.Bytes(report.FileBytes)}{(report.Parts is { } parts ? $" in {parts.Count} parts" : "")}");
        if (report.Name is { } name) summary.Add("name", Printable.Name(name));
        summary.Add("architecture", Printable.Name(report.Architecture ?? "(none)"));
        summary.Add("parameters", Units.Count(report.Parameters));
        summary.Add("tensors", $"{file.Tensors.Count}, {Units.Bytes(report.TensorBytes)}, {report.BitsPerWeight:F2} bits per weight");
        summary.Write(writer);

        writer.WriteLine();
        TextTable metadata = new(false, false, false);
        foreach (GgufEntry entry in file.Metadata.Entries) metadata.Add(Printable.Name(entry.Key), entry.TypeName, Printable.Value(entry.Read()));
        metadata.Write(writer);

        writer.WriteLine();
        TextTable types = new(false, true, true, true);
        types.Add("type", "tensors", "parameters", "size");
        foreach (TypeReport type in report.Types) types.Add(type.Type, $"{type.Tensors}", Units.Count(type.Parameters), Units.Bytes(type.Bytes));
        types.Write(writer);

        if (report.Tensors is null) return;
        writer.WriteLine();
        TextTable tensors = new(false, false, true, true);
        tensors.Add("tensor", "type", "dimensions", "size");
        foreach (TensorReport tensor in report.Tensors)
            tensors.Add(Printable.Name(tensor.Name), tensor.Type, string.Join(" x ", tensor.Dimensions), Units.Bytes(tensor.Bytes));
        tensors.Write(writer);
    }

    private static void ShowArchitectures(Terminal terminal, bool json)
    {
        List<ArchitectureReport> reports = [.. ArchitectureTable.All.Select(entry => new ArchitectureReport(entry.Name, entry.Description, entry.Tested))];
        if (json)
        {
            JsonOutput.Write(terminal, reports, shapes => shapes.ListArchitectureReport);
            return;
        }

        TextTable table = new(false, false, false);
        table.Add("architecture", "models", "tested variants");
        foreach (ArchitectureReport report in reports) table.Add(report.Name, report.Description, string.Join(", ", report.Tested));
        table.Write(terminal.Out);
    }

    private static void ShowMachine(Terminal terminal, bool json)
    {
        MachineInfo machine = MachineInfo.Read();
        MachineReport report = new(
            CommandLine.Version, machine.Processor, machine.OperatingSystem, machine.Runtime, machine.LogicalProcessors, machine.PhysicalCores,
            MachineInfo.CoreCount, Isa.Name, Name(machine.DetectedTier), machine.MemoryBytes);
        if (json)
        {
            JsonOutput.Write(terminal, report, shapes => shapes.MachineReport);
            return;
        }

        TextTable table = new(false, false);
        table.Add("quern", report.Version);
        table.Add("processor", report.Processor);
        table.Add("instruction set", report.InstructionSet + (machine.Tier == machine.DetectedTier ? "" : $" ({(machine.Tier < machine.DetectedTier ? "lowered" : "raised")} from {report.DetectedInstructionSet} by QUERN_ISA)"));
        table.Add("threads", $"{report.DefaultThreads} by default; {report.PhysicalCores} cores, {report.LogicalProcessors} hardware threads");
        table.Add("memory", Units.Bytes(report.MemoryBytes));
        table.Add("system", report.OperatingSystem);
        table.Add("runtime", report.Runtime);
        table.Write(terminal.Out);
    }

    private static string Name(Kernels.Cpu.IsaTier tier) => tier.ToString().ToLowerInvariant();

    private static string? Text(GgufFile file, string key) => file.Metadata.FindEntry(key) is { Type: GgufValueType.String } entry ? (string)entry.Read() : null;
}
