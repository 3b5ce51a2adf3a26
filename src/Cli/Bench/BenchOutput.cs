using System.Globalization;
using System.Text.Json;
using Quern.Cli.Output;

namespace Quern.Cli.Bench;

/// <summary>A way to write results: told of each as it is measured.</summary>
internal abstract class BenchOutput(Terminal terminal)
{
    /// <summary>The formats by name. A new one is a class and a line here.</summary>
    public static IReadOnlyList<(string Name, Func<Terminal, BenchOutput> Create)> Formats { get; } =
    [
        ("md", terminal => new MarkdownOutput(terminal)),
        ("json", terminal => new JsonListOutput(terminal)),
        ("csv", terminal => new CsvOutput(terminal)),
    ];

    protected TextWriter Writer => terminal.Out;

    protected Terminal Terminal => terminal;

    public abstract void Add(BenchResult result);

    public virtual void End()
    {
    }

    private sealed class MarkdownOutput(Terminal terminal) : BenchOutput(terminal)
    {
        private bool _begun;
        private double? _promptError;

        public override void Add(BenchResult result)
        {
            if (!_begun)
            {
                Writer.WriteLine("| model                          |       size |     params | backend    | threads |            test |                  t/s |     median |");
                Writer.WriteLine("| ------------------------------ | ---------: | ---------: | ---------- | ------: | --------------: | -------------------: | ---------: |");
                _begun = true;
            }

            if (result.PromptError is { } error) _promptError = error;
            string model = result.ModelType + (result.Mode == "fast" ? "" : $" {result.Mode}");
            Writer.WriteLine(
                $"| {model,-30} | {Units.Bytes(result.ModelSize),10} | {Units.Count(result.ModelParams),10} | {"CPU",-10} | {result.Threads,7} | {result.Test,15} | {$"{result.AvgTs:F2} ± {result.StddevTs:F2}",20} | {result.MedianTs,10:F2} |");
            Writer.Flush();
        }

        public override void End()
        {
            Writer.WriteLine();
            if (_promptError is { } error) Writer.WriteLine($"int8 prompts: products off by {Units.Percent(error)} (root mean square)");
            Writer.WriteLine($"build: quern {CommandLine.Version}");
        }
    }

    private sealed class JsonListOutput(Terminal terminal) : BenchOutput(terminal)
    {
        private readonly List<BenchResult> _results = [];

        public override void Add(BenchResult result) => _results.Add(result);

        public override void End() => JsonOutput.Write(Terminal, _results, shapes => shapes.ListBenchResult);
    }

    private sealed class CsvOutput(Terminal terminal) : BenchOutput(terminal)
    {
        private bool _begun;

        public override void Add(BenchResult result)
        {
            // The fields and their names are those of the JSON, so that both are read alike.
            using JsonDocument document = JsonSerializer.SerializeToDocument(result, JsonShapes.Readable.BenchResult);
            List<JsonProperty> fields = [.. document.RootElement.EnumerateObject()];
            if (!_begun) Writer.WriteLine(string.Join(',', fields.Select(field => field.Name)));
            _begun = true;
            Writer.WriteLine(string.Join(',', fields.Select(field => Field(field.Value))));
            Writer.Flush();
        }

        private static string Field(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.String => Quote(value.GetString()!),
            JsonValueKind.Null => "",
            JsonValueKind.Array => Quote(string.Join(' ', value.EnumerateArray().Select(item => item.GetDouble().ToString(CultureInfo.InvariantCulture)))),
            _ => value.GetRawText(),
        };

        private static string Quote(string text) => $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }
}
