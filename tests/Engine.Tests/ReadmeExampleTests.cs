using System.Runtime.CompilerServices;
using Quern.Engine.Sampling;

namespace Quern.Engine.Tests;

/// <summary>The README's library example is this code, compiled and run on a tiny model.</summary>
public sealed class ReadmeExampleTests
{
    [Fact]
    public async Task The_example_runs()
    {
        using TinyModel file = new();
        await Example(file.Path);
    }

    [Fact]
    public void The_README_shows_the_code_that_runs()
    {
        string source = Between(File.ReadAllText(ThisFile()), "// begin of the example\n", "// end of the example").Replace("(path)", "(\"model.gguf\")", StringComparison.Ordinal);
        string readme = Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", "README.md");
        string shown = Between(File.ReadAllText(readme), "```csharp\n", "```");
        Assert.Equal(Lines(source), Lines(shown));
    }

    private static async Task Example(string path)
    {
        // begin of the example
        using QuernModel model = QuernModel.Load(path);
        using Session session = model.CreateSession();
        GenerationOptions options = new() { MaxTokens = 200, Sampling = new SamplingOptions { Temperature = 0.7f, Seed = 42 } };
        await foreach (GeneratedText piece in session.GenerateAsync("Once upon a time", options))
            Console.Write(piece.Text);
        // end of the example
    }

    private static string[] Lines(string text) => [.. text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0)];

    private static string Between(string text, string begin, string end)
    {
        int from = text.IndexOf(begin, StringComparison.Ordinal) + begin.Length;
        return text[from..text.IndexOf(end, from, StringComparison.Ordinal)];
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
