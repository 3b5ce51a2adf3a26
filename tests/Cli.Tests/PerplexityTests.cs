using System.Text.Json;
using Quern.Engine;
using Quern.Engine.Evaluation;
using Quern.TestKit;

namespace Quern.Cli.Tests;

public sealed class PerplexityTests : IDisposable
{
    private const string Text = "once and then the one and then the other, and once more the one; and so on, on and on, until the end of the text and then once again";
    private readonly TinyModel _file = new();

    public void Dispose() => _file.Dispose();

    private string[] Arguments(params string[] more) => ["perplexity", "-m", _file.Path, "-t", "1", "--context", "24", Text, .. more];

    [Fact]
    public void Json_has_the_numbers_of_the_engine_and_every_chunk()
    {
        JsonElement json = QuernProcess.Run(Arguments("--json", "--exact")).Json();
        using QuernModel model = QuernModel.Load(_file.Path, new ModelOptions { Exact = true, Threads = 1, ContextLength = 24 });
        Perplexity perplexity = new(model, Perplexity.Tokenize(model, Text), new PerplexityOptions { ContextLength = 24 });
        List<PerplexityChunk> chunks = [.. perplexity.Run()];
        Assert.True(chunks.Count > 1);
        LikelihoodEstimate total = chunks[^1].Total;
        Assert.Equal(
            (total.Perplexity, total.PerplexityStandardError, total.Mean, total.StandardError, total.BitsPerByte),
            (Number(json, "perplexity"), Number(json, "perplexity_standard_error"), Number(json, "nll"), Number(json, "nll_standard_error"), Number(json, "bits_per_byte")));
        Assert.Equal(
            (total.Tokens, total.Bytes, perplexity.TokenCount, chunks.Count, 24, 24, 11),
            ((long)Number(json, "scored_tokens"), (long)Number(json, "scored_bytes"), (int)Number(json, "tokens"), (int)Number(json, "chunk_count"),
                (int)Number(json, "context_length"), (int)Number(json, "stride"), (int)Number(json, "scored_per_chunk")));
        Assert.Equal(("exact", true), (json.GetProperty("mode").GetString(), json.GetProperty("complete").GetBoolean()));
        Assert.True(Number(json, "tokens_per_second") > 0);
        JsonElement[] reported = [.. json.GetProperty("chunks").EnumerateArray()];
        Assert.Equal(
            chunks.Select(chunk => ((double)chunk.FirstToken, chunk.Measured.Mean, chunk.Measured.Perplexity, chunk.Total.Perplexity)),
            reported.Select(chunk => (Number(chunk, "first_token"), Number(chunk, "nll"), Number(chunk, "perplexity"), Number(chunk, "running_perplexity"))));
    }

    [Fact]
    public void People_get_a_table()
    {
        QuernProcess quern = QuernProcess.Run(Arguments());
        Assert.Equal((0, ""), (quern.ExitCode, quern.Error));
        string[] lines = quern.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Equal(5, lines.Length);
        Assert.Matches(@"^perplexity +[0-9.]+ ± [0-9.]+$", lines[0]);
        Assert.Matches(@"^nll per token +[0-9.]+ ± [0-9.]+$", lines[1]);
        Assert.Matches(@"^bits per byte +[0-9.]+$", lines[2]);
        Assert.Matches(@"^scored +[0-9]+ tokens, [0-9]+ bytes, in [0-9]+ chunks of 24$", lines[3]);
        Assert.Matches(@"^speed +[0-9.]+ tok/s, ", lines[4]);
    }

    [Fact]
    public void Options_choose_the_chunks()
    {
        JsonElement json = QuernProcess.Run(Arguments("--stride", "8", "--scored", "5", "--chunks", "3", "--json")).Json();
        Assert.Equal((3, 15), (json.GetProperty("chunks").GetArrayLength(), (int)Number(json, "scored_tokens")));
        Assert.Equal([0, 8, 16], json.GetProperty("chunks").EnumerateArray().Select(chunk => (int)Number(chunk, "first_token")));
    }

    [Fact]
    public void Documents_are_predicted_by_themselves()
    {
        string[] options = ["perplexity", "-m", _file.Path, "-t", "1", "--documents", "<s>once and<s>then the one"];
        JsonElement json = QuernProcess.Run([.. options, "--json"]).Json();
        Assert.Equal(2, json.GetProperty("chunks").GetArrayLength());
        Assert.False(json.TryGetProperty("stride", out _));
        JsonElement alone = QuernProcess.Run("perplexity", "-m", _file.Path, "-t", "1", "--documents", "then the one", "--json").Json();
        Assert.Equal(Number(alone, "nll"), Number(json.GetProperty("chunks")[1], "nll"), 1e-12);
        Assert.Matches("scored +[0-9]+ tokens, [0-9]+ bytes, in 2 documents", QuernProcess.Run(options).Out);
        QuernProcess.Run([.. options, "--stride", "4"]).AssertFails(2, "--stride and --documents exclude each other");
    }

    [Fact]
    public void A_single_scored_token_has_no_standard_error()
    {
        JsonElement json = QuernProcess.Run(Arguments("--scored", "1", "--chunks", "1", "--json")).Json();
        Assert.Equal(1, Number(json, "scored_tokens"));
        Assert.False(json.TryGetProperty("perplexity_standard_error", out _));
        Assert.Contains("± -", QuernProcess.Run(Arguments("--scored", "1", "--chunks", "1")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void The_text_comes_from_a_file_or_a_pipe_too()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, Text);
            string[] options = ["perplexity", "-m", _file.Path, "-t", "1", "-c", "24", "--json"];
            double expected = Number(QuernProcess.Run(Arguments("--json")).Json(), "nll");
            Assert.Equal(expected, Number(QuernProcess.Run([.. options, "-f", path]).Json(), "nll"));
            Assert.Equal(expected, Number(QuernProcess.Piped(Text, default, options).Json(), "nll"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_terminal_shows_a_running_estimate()
    {
        using StringWriter output = new(), error = new();
        Terminal terminal = new() { In = TextReader.Null, Out = output, Error = error, ErrorIsTerminal = true };
        Assert.Equal(0, CommandLine.Invoke(Arguments("--chunks", "2"), terminal));
        Assert.Matches(@"\rchunk 1/2: perplexity [0-9.]+ ± [0-9.]+, [0-9.]+ tok/s, .* left", error.ToString());
        Assert.Matches(@"\rchunk 2/2: ", error.ToString());
        Assert.EndsWith("\r\u001b[K", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Ctrl_C_keeps_what_was_measured()
    {
        JsonElement whole = QuernProcess.Run(Arguments("--json", "--chunks", "2")).Json();
        (int code, string output) = Interrupted("--json");
        Assert.Equal(130, code);
        JsonElement json = JsonDocument.Parse(output).RootElement;
        Assert.False(json.GetProperty("complete").GetBoolean());
        Assert.Equal(2, json.GetProperty("chunks").GetArrayLength());
        Assert.True(Number(json, "chunk_count") > 2);
        Assert.Equal(Number(whole, "perplexity"), Number(json, "perplexity"));
        Assert.Matches(@"scored +[0-9]+ tokens, [0-9]+ bytes, in 2 of [0-9]+ chunks of 24, interrupted", Interrupted().Output);
    }

    [Fact]
    public void Ctrl_C_while_loading_ends_quietly()
    {
        QuernProcess quern = QuernProcess.Piped(null, new CancellationToken(true), Arguments());
        Assert.Equal((130, "", ""), (quern.ExitCode, quern.Out, quern.Error));
    }

    [Fact]
    public void Wrong_uses_are_told()
    {
        QuernProcess.Run("perplexity", "-m", _file.Path).AssertFails(2, "perplexity needs a text, or -f FILE");
        QuernProcess.Run("perplexity", "-m", _file.Path, "-c", "64", "once and").AssertFails(1, "tokens and a chunk needs 64", "--context");
        QuernProcess.Run(Arguments("-f", "text.txt")).AssertFails(2, "given twice");
        QuernProcess.Run("perplexity", "-m", _file.Path, "-f", "no-such.txt").AssertFails(1, "no-such.txt");
        QuernProcess.Run(Arguments("--stride", "0")).AssertFails(2, "--stride is 0");
        QuernProcess.Run(Arguments("--stride", "25")).AssertFails(1, "Stride is 25; expected at most 24");
        QuernProcess.Run(Arguments("--chunks", "0")).AssertFails(2, "--chunks is 0");
    }

    [SharedFact]
    public void The_recorded_story_is_predicted_as_by_the_reference()
    {
        using JsonDocument record = JsonDocument.Parse(File.ReadAllBytes(SharedData.Path("golden", "stories260K", "tokens.json")));
        float[] nll = SharedData.ReadFloats("golden", "stories260K", "nll.f32");
        string model = SharedData.Path("golden", "stories260K", "model.gguf");
        JsonElement json = QuernProcess.Run(
            "perplexity", "-m", model, "--exact", "--stride", "512", "--chunks", "1", record.RootElement.GetProperty("nll_text").GetString()!, "--json").Json();
        Assert.Equal(511, Number(json, "scored_tokens"));
        Assert.Equal(nll.Take(511).Average(), Number(json, "nll"), 1e-4);
    }

    private (int Code, string Output) Interrupted(params string[] more)
    {
        using CancellationTokenSource cancel = new();
        using StringWriter output = new();
        using CancellingWriter error = new(cancel, "chunk 2/");
        Terminal terminal = new() { In = TextReader.Null, Out = output, Error = error, ErrorIsTerminal = true, Cancelled = cancel.Token };
        int code = CommandLine.Invoke(Arguments(more), terminal);
        return (code, output.ToString());
    }

    private static double Number(JsonElement json, string name) => json.GetProperty(name).GetDouble();

    /// <summary>Presses Ctrl-C when a text is written.</summary>
    private sealed class CancellingWriter(CancellationTokenSource cancel, string at) : StringWriter
    {
        public override void Write(string? value)
        {
            base.Write(value);
            if (value?.Contains(at, StringComparison.Ordinal) == true) cancel.Cancel();
        }
    }
}
