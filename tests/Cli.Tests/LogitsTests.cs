using System.Runtime.InteropServices;
using Quern.Engine;
using Quern.TestKit;

namespace Quern.Cli.Tests;

public sealed class LogitsTests : IDisposable
{
    private readonly TinyModel _file = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("quern-logits-").FullName;

    public void Dispose()
    {
        _file.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("[1, 40, 41, 42]")]
    [InlineData("{\"n_ctx\": 32, \"tokens\": [1, 40, 41, 42], \"else\": null}")]
    public void All_positions_are_written(string json)
    {
        (QuernProcess quern, float[] logits) = Run(_file.Path, json, "--exact");
        Assert.Equal((0, ""), (quern.ExitCode, quern.Out));
        using QuernModel model = QuernModel.Load(_file.Path, new ModelOptions { Exact = true });
        using Session session = model.CreateSession();
        Assert.Equal(4 * TinyModel.VocabularySize, logits.Length);
        session.EvaluateAll([1, 40, 41, 42], (first, count, expected) =>
            Assert.Equal(expected.ToArray(), logits[(first * TinyModel.VocabularySize)..((first + count) * TinyModel.VocabularySize)]));
    }

    [SharedTheory]
    [InlineData("stories260K", "logits.f32")]
    [InlineData("phi3-longrope-short", "logits.f32")]
    [InlineData("phi3-longrope-long", "logits.f32")]
    [InlineData("qwen2", "logits.f32")]
    [InlineData("t5-gated", "logits.f32")]
    public void Golden_logits_are_met(string name, string file)
    {
        float[] expected = SharedData.ReadFloats("golden", name, file);
        (QuernProcess quern, float[] logits) = Run(
            SharedData.Path("golden", name, "model.gguf"), File.ReadAllText(SharedData.Path("golden", name, "tokens.json")), "--exact");
        Assert.Equal(0, quern.ExitCode);
        Assert.Equal(expected.Length, logits.Length);
        Assert.InRange(expected.Zip(logits, (a, b) => Math.Abs(a - b)).Max(), 0, 2e-4);
    }

    [Theory]
    [InlineData("{\"token\": [1]}", "'tokens'")]
    [InlineData("[]", "no tokens")]
    [InlineData("[1, \"a\"]", "token 1 is \"a\"")]
    [InlineData("[1.5]", "token 0 is 1.5")]
    [InlineData("{\"tokens\": [1], \"n_ctx\": 0}", "n_ctx is 0")]
    [InlineData("[1", "not JSON")]
    [InlineData("[1, 9999]", "no token 9999")]
    public void Wrong_tokens_are_told(string json, string message)
    {
        QuernProcess quern = Run(_file.Path, json).Quern;
        Assert.Equal((1, ""), (quern.ExitCode, quern.Out));
        string line = Assert.Single(quern.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(message, line, StringComparison.Ordinal);
        Assert.DoesNotContain("Parameter", line, StringComparison.Ordinal);
    }

    [SharedFact]
    public void What_an_encoder_reads_belongs_to_a_model_that_has_one()
    {
        Assert.Contains("llama has no encoder that reads 'encoder_tokens'", Run(_file.Path, "{\"tokens\": [1], \"encoder_tokens\": [1]}").Quern.Error, StringComparison.Ordinal);
        string path = SharedData.Path("golden", "t5-relu", "model.gguf");
        Assert.Contains("expected its ids in 'encoder_tokens'", Run(path, "[0]").Quern.Error, StringComparison.Ordinal);
        Assert.Contains("encoder_tokens is 5; expected an array", Run(path, "{\"tokens\": [0], \"encoder_tokens\": 5}").Quern.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_options_are_wrong_uses() => QuernProcess.Run("logits", "-m", _file.Path, "-o", "x").AssertFails(2, "--tokens");

    private (QuernProcess Quern, float[] Logits) Run(string model, string json, params string[] more)
    {
        string tokens = Path.Combine(_folder, "tokens.json");
        string output = Path.Combine(_folder, "logits.f32");
        File.WriteAllText(tokens, json);
        QuernProcess quern = QuernProcess.Run(["logits", "-m", model, "--tokens", tokens, "-o", output, .. more]);
        return (quern, File.Exists(output) ? MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(output)).ToArray() : []);
    }
}
