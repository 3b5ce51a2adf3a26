using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Quern.Engine;
using Quern.Gguf;
using Quern.Models;
using Quern.TestKit;

namespace Quern.Cli.Tests;

public sealed class EmbedTests : IDisposable
{
    private static readonly string[] Texts = ["once and on", "the end", "once and once"];
    private readonly TinyModel _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public void Vectors_are_numbers_one_text_a_line()
    {
        QuernProcess quern = Run("--pooling", "mean", "--exact");
        Assert.Equal(0, quern.ExitCode);
        float[][] found = [.. Lines(quern.Out).Select(line => line.Split(' ').Select(number => float.Parse(number, CultureInfo.InvariantCulture)).ToArray())];
        Assert.Equal(Library(Pooling.Mean, normalize: true), found);
    }

    [Fact]
    public void Json_says_how_and_what()
    {
        JsonElement json = Run("--pooling", "last", "--no-normalize", "--format", "json", "--similarity", "--exact").Json();
        Assert.Equal((_file.Path, "last", false, 64), (json.GetProperty("model").GetString(), json.GetProperty("pooling").GetString(), json.GetProperty("normalized").GetBoolean(), json.GetProperty("length").GetInt32()));
        float[][] expected = Library(Pooling.Last, normalize: false);
        JsonElement[] texts = [.. json.GetProperty("texts").EnumerateArray()];
        Assert.Equal(Texts, texts.Select(text => text.GetProperty("text").GetString()));
        Assert.Equal(expected, texts.Select(text => Numbers(text.GetProperty("vector"))));
        Assert.Equal(Embedder.Cosine(expected[0], expected[2]), json.GetProperty("similarity")[0][2].GetDouble(), 1e-5);
        Assert.Equal(1, json.GetProperty("similarity")[1][1].GetDouble(), 1e-5);
    }

    [Fact]
    public void Lines_of_json_are_objects_and_tokens_keep_their_vectors_without_pooling()
    {
        string[] lines = Lines(Run("--pooling", "none", "--format", "jsonl").Out);
        Assert.Equal(3, lines.Length);
        foreach (string line in lines)
        {
            JsonElement text = JsonDocument.Parse(line).RootElement;
            Assert.Equal(text.GetProperty("tokens").GetInt32(), text.GetProperty("vectors").GetArrayLength());
            Assert.False(text.TryGetProperty("vector", out _));
        }
    }

    [Fact]
    public void Cosines_are_a_table()
    {
        QuernProcess quern = Run("--pooling", "mean", "--similarity");
        string[] lines = Lines(quern.Out);
        Assert.Equal(4, lines.Length);
        Assert.StartsWith("1  1.0000  ", lines[1], StringComparison.Ordinal);
        Assert.EndsWith("  1.0000  \"once and once\"", lines[3], StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_come_from_a_file_or_a_pipe_one_a_line()
    {
        string expected = Run("--pooling", "mean").Out, lines = string.Join('\n', Texts) + "\n";
        Assert.Equal(expected, QuernProcess.Piped(lines, default, "embed", "-m", _file.Path, "--pooling", "mean").Out);
        Assert.Equal(expected, QuernProcess.Piped(lines, default, "embed", "-m", _file.Path, "--pooling", "mean", "-f", "-").Out);
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, lines);
            Assert.Equal(expected, QuernProcess.Run("embed", "-m", _file.Path, "--pooling", "mean", "-f", path).Out);
            QuernProcess.Run("embed", "-m", _file.Path, "-f", path, "text").AssertFails(2, "given twice");
            File.WriteAllText(path, "");
            QuernProcess.Run("embed", "-m", _file.Path, "-f", path).AssertFails(2, "is empty");
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Wrong_uses_are_told()
    {
        QuernProcess.Run("embed", "-m", _file.Path).AssertFails(2, "embed needs texts");
        QuernProcess.Run("embed", "-m", _file.Path, "text").AssertFails(1, "llama.pooling_type", "--pooling mean");
        QuernProcess.Run("embed", "-m", _file.Path, "--pooling", "some", "text").AssertFails(2, "some");
        QuernProcess.Run("embed", "-m", _file.Path, "--pooling", "rank", "text", "other").AssertFails(1, "no classifier");
        QuernProcess.Run("embed", "-m", _file.Path, "--pooling", "none", "--similarity", "text").AssertFails(2, "--similarity", "none");
        QuernProcess.Run("embed", "-m", _file.Path, "--pooling", "mean", "--similarity", "--format", "jsonl", "text").AssertFails(2, "--similarity");
        string longText = string.Concat(Enumerable.Repeat("z", 200));
        QuernProcess.Run("embed", "-m", _file.Path, "--pooling", "mean", "text", longText).AssertFails(1, "text 2 of 2", "the context holds 96");
    }

    [SharedFact]
    public void An_encoder_embeds_and_does_not_generate()
    {
        string path = SharedData.Path("golden", "bert-cls", "model.gguf");
        JsonElement json = QuernProcess.Run("embed", "-m", path, "--format", "json", "Hello world").Json();
        Assert.Equal("cls", json.GetProperty("pooling").GetString());
        Assert.Equal(11, json.GetProperty("texts")[0].GetProperty("tokens").GetInt32());
        QuernProcess.Run("run", "-m", path, "hi").AssertFails(1, "(bert) is an encoder", "quern embed");
        QuernProcess.Run("chat", "-m", path).AssertFails(1, "(bert) is an encoder", "quern embed");
    }

    [SharedTheory]
    [InlineData("bert-mean")]
    [InlineData("bert-cls")]
    [InlineData("mix-bert-q4_0")]
    [InlineData("nomic-bert")]
    [InlineData("jina-bert-v2")]
    public void Golden_vectors_of_tokens_are_met(string name)
    {
        string tokens = SharedData.Path("golden", name, "tokens.json");
        string[] embed = ["embed", "-m", SharedData.Path("golden", name, "model.gguf"), "--exact", "--no-normalize", "--tokens", tokens];
        float[] expected = SharedData.ReadFloats("golden", name, "pooled.f32"), found = [.. Assert.Single(Lines(QuernProcess.Run(embed).Out)).Split(' ').Select(number => float.Parse(number, CultureInfo.InvariantCulture))];
        Assert.Equal(expected.Length, found.Length);
        Assert.InRange(expected.Zip(found, (a, b) => Math.Abs(a - b)).Max(), 0, 2e-4);
        JsonElement text = QuernProcess.Run([.. embed, "--format", "json"]).Json().GetProperty("texts")[0];
        Assert.Equal((48, false), (text.GetProperty("tokens").GetInt32(), text.TryGetProperty("text", out _)));
        QuernProcess.Run([.. embed, "text"]).AssertFails(2, "beside --tokens");
    }

    [SharedFact]
    public void Texts_are_ranked_as_answers_to_the_first()
    {
        string path = Path.Combine(Path.GetTempPath(), $"quern-rank-{Guid.NewGuid():N}.gguf");
        try
        {
            using (GgufFile source = GgufFile.Open(SharedData.Path("golden", "bert-cls", "model.gguf")))
            {
                GgufWriter writer = new();
                writer.SetAll(source.Metadata);
                foreach (GgufTensor tensor in source.Tensors) writer.AddTensor(tensor.Name, tensor.TypeId, tensor.Dimensions.AsSpan(), tensor.Slice(0, (int)tensor.ByteLength).ToArray());
                writer.AddTensor("cls.output.weight", 0, [64, 1], MemoryMarshal.AsBytes<float>([.. Enumerable.Range(0, 64).Select(i => MathF.Sin(i))]).ToArray());
                writer.Write(path);
            }

            string[] lines = Lines(QuernProcess.Run("embed", "-m", path, "--exact", "--pooling", "rank", "--format", "jsonl", "Once upon a time", "Hello world", "a hat").Out);
            using QuernModel model = QuernModel.Load(path, new ModelOptions { Exact = true });
            using Embedder ranker = model.CreateEmbedder(new EmbeddingOptions { Pooling = Pooling.Rank });
            float[][] expected = ranker.Embed([ranker.Tokenize("Once upon a time", "Hello world"), ranker.Tokenize("Once upon a time", "a hat")]);
            JsonElement[] texts = [.. lines.Select(line => JsonDocument.Parse(line).RootElement)];
            Assert.Equal(["Hello world", "a hat"], texts.Select(text => text.GetProperty("text").GetString()));
            Assert.Equal(expected, texts.Select(text => Numbers(text.GetProperty("scores"))));
            QuernProcess.Run("embed", "-m", path, "--pooling", "rank", "alone").AssertFails(2, "at least two texts");
        }
        finally
        {
            File.Delete(path);
        }
    }

    private QuernProcess Run(params string[] options) => QuernProcess.Run(["embed", "-m", _file.Path, .. options, "--", .. Texts]);

    private float[][] Library(Pooling pooling, bool normalize)
    {
        using QuernModel model = QuernModel.Load(_file.Path, new ModelOptions { Exact = true });
        using Embedder embedder = model.CreateEmbedder(new EmbeddingOptions { Pooling = pooling, Normalize = normalize });
        return embedder.Embed(Texts);
    }

    private static float[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetSingle())];

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
