using System.Text.Json.Nodes;

namespace Quern.Cli.Output;

/// <summary>What <c>quern inspect --json</c> says of a file.</summary>
internal sealed record FileReport(
    string File,
    int Version,
    int Alignment,
    long FileBytes,
    IReadOnlyList<string>? Parts,
    string? Architecture,
    string? Name,
    long Parameters,
    long TensorBytes,
    double BitsPerWeight,
    IReadOnlyList<MetadataReport> Metadata,
    IReadOnlyList<TypeReport> Types,
    IReadOnlyList<TensorReport>? Tensors);

/// <summary>A metadata entry. <paramref name="Count"/> is an array's length; <paramref name="Value"/> may hold fewer elements.</summary>
internal sealed record MetadataReport(string Key, string Type, int? Count, JsonNode Value);

/// <summary>All tensors of a type.</summary>
internal sealed record TypeReport(string Type, int Tensors, long Parameters, long Bytes);

/// <summary>A tensor; the length of a row comes first in its dimensions.</summary>
internal sealed record TensorReport(string Name, string Type, IReadOnlyList<long> Dimensions, long Bytes, int Part, long Offset);

/// <summary>What <c>quern inspect --machine --json</c> says.</summary>
internal sealed record MachineReport(
    string Version, string Processor, string OperatingSystem, string Runtime, int LogicalProcessors, int PhysicalCores, int DefaultThreads,
    string InstructionSet, string DetectedInstructionSet, long MemoryBytes);

/// <summary>An architecture in <c>quern inspect --architectures --json</c>; <paramref name="Tested"/> are the variants that are compared with other engines.</summary>
internal sealed record ArchitectureReport(string Name, string Description, IReadOnlyList<string> Tested);
