using System.Runtime.CompilerServices;
using Quern.Engine.Sampling;
using Quern.Models;

namespace Quern.Engine.Tests;

/// <summary>The README's library examples are this code, compiled and run on a tiny model.</summary>
public sealed class ReadmeExampleTests
{
    [Fact]
    public async Task The_examples_run()
    {
        using TinyModel file = new();
        await OneText(file.Path);
        await ManyTexts(file.Path);
        Vectors(file.Path);
    }

    [Fact]
    public void The_README_shows_the_code_that_runs()
    {
        string[] sources = Between(File.ReadAllText(ThisFile()), "// begin of an example\n", "// end of it"), shown = Between(File.ReadAllText(Readme()), "```csharp\n", "```");
        Assert.Equal(3, shown.Length);
        for (int i = 0; i < 3; i++) Assert.Equal(Lines(sources[i].Replace("(path", "(\"model.gguf\"", StringComparison.Ordinal)), Lines(shown[i]));
    }

    private static async Task OneText(string path)
    {
        // begin of an example
        using QuernModel model = QuernModel.Load(path);
        using Session session = model.CreateSession();
        GenerationOptions options = new() { MaxTokens = 200, Sampling = new SamplingOptions { Temperature = 0.7f, Seed = 42 } };
        await foreach (GeneratedText piece in session.GenerateAsync("Once upon a time", options))
            Console.Write(piece.Text);
        // end of it
    }

    private static async Task ManyTexts(string path)
    {
        // begin of an example
        using QuernModel model = QuernModel.Load(path, new ModelOptions { CacheTokens = 16384 });
        await using InferenceEngine engine = new(model);
        string[] prompts = ["Once upon a time", "The little dragon", "Three friends"];
        await Task.WhenAll(prompts.Select(async prompt =>
        {
            string text = "";
            await foreach (GeneratedText piece in engine.GenerateAsync(prompt)) text += piece.Text;
            Console.WriteLine(prompt + text);
        }));
        // end of it
    }

    private static void Vectors(string path)
    {
        // begin of an example
        using QuernModel model = QuernModel.Load(path);
        using Embedder embedder = model.CreateEmbedder(new EmbeddingOptions { Pooling = Pooling.Mean });
        float[][] vectors = embedder.Embed(["A fox sleeps.", "The fox is asleep."]);
        Console.WriteLine(Embedder.Cosine(vectors[0], vectors[1]));
        // end of it
    }

    private static string[] Lines(string text) => [.. text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0)];

    private static string Readme() => Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", "README.md");

    // What stands between, each time.
    private static string[] Between(string text, string begin, string end) => [.. text.Split(begin).Skip(1).Select(part => part[..part.IndexOf(end, StringComparison.Ordinal)])];

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
