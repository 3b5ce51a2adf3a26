using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Quern.Cli.Bench;

namespace Quern.Cli.Output;

/// <summary>The shapes of what <c>--json</c> writes: names in snake case, text readable.</summary>
[JsonSerializable(typeof(FileReport))]
[JsonSerializable(typeof(MachineReport))]
[JsonSerializable(typeof(List<ArchitectureReport>))]
[JsonSerializable(typeof(TokenizeReport))]
[JsonSerializable(typeof(DecodeReport))]
[JsonSerializable(typeof(RunReport))]
[JsonSerializable(typeof(List<BenchResult>))]
[JsonSerializable(typeof(PerplexityReport))]
[JsonSerializable(typeof(EmbedReport))]
[JsonSerializable(typeof(TextVector))]
internal sealed partial class JsonShapes : JsonSerializerContext
{
    /// <summary>The context that every command uses.</summary>
    public static JsonShapes Readable { get; } = new(Form(indented: true));

    /// <summary>The same in one line, for long lists of numbers.</summary>
    public static JsonShapes Line { get; } = new(Form(indented: false));

    private static JsonSerializerOptions Form(bool indented) => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        WriteIndented = indented,
        // Nothing here ends in a page of HTML: text stays text.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}

/// <summary>Writes one JSON value to standard output.</summary>
internal static class JsonOutput
{
    public static void Write<T>(Terminal terminal, T value, Func<JsonShapes, JsonTypeInfo<T>> shape) =>
        terminal.Out.WriteLine(JsonSerializer.Serialize(value, shape(JsonShapes.Readable)));

    public static void WriteLine<T>(Terminal terminal, T value, Func<JsonShapes, JsonTypeInfo<T>> shape) =>
        terminal.Out.WriteLine(JsonSerializer.Serialize(value, shape(JsonShapes.Line)));
}
