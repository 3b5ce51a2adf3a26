using System.Text;
using System.Text.Json;
using Quern.Engine;
using Quern.TestKit;

namespace Quern.Cli.Tests;

public sealed class RunTests : IDisposable
{
    private readonly TinyModel _file = new();

    public void Dispose() => _file.Dispose();

    private string[] Greedy(params string[] more) => ["run", "-m", _file.Path, "--temp", "0", "--ignore-eos", "-t", "1", .. more];

    [Fact]
    public void Text_goes_to_output_and_a_table_to_error()
    {
        QuernProcess quern = QuernProcess.Run(Greedy("-n", "12", "once and"));
        Assert.Equal(0, quern.ExitCode);
        Assert.Matches("prompt +\\d+ tokens +[0-9.]+ tok/s", quern.Error);
        Assert.Matches("generated +12 tokens +[0-9.]+ tok/s +ended by length", quern.Error);
        Assert.Matches("load +", quern.Error);
        Assert.Matches("memory +[0-9.]+ MiB +resident", quern.Error);
        using QuernModel model = QuernModel.Load(_file.Path, new ModelOptions { Threads = 1 });
        using Session session = model.CreateSession();
        GenerationOptions options = new() { MaxTokens = 12, IgnoreEos = true, Sampling = new() { Temperature = 0 } };
        Assert.Equal(string.Concat(session.Generate("once and", options).Select(piece => piece.Text)) + Environment.NewLine, quern.Out);
    }

    [Fact]
    public void Json_has_text_tokens_and_statistics()
    {
        JsonElement json = QuernProcess.Run(Greedy("-n", "12", "--json", "once and")).Json();
        Assert.Equal("once and", json.GetProperty("prompt").GetString());
        Assert.Equal(12, json.GetProperty("tokens").GetArrayLength());
        Assert.Equal("length", json.GetProperty("finish_reason").GetString());
        Assert.Equal(QuernProcess.Run(Greedy("-n", "12", "once and")).Out, json.GetProperty("text").GetString() + Environment.NewLine);
        JsonElement statistics = json.GetProperty("statistics");
        Assert.Equal(12, statistics.GetProperty("generated_tokens").GetInt32());
        Assert.True(statistics.GetProperty("resident_bytes").GetInt64() > 0);
        Assert.True(statistics.GetProperty("tokens_per_second").GetDouble() > 0);
    }

    [Fact]
    public void The_prompt_comes_from_a_pipe_too() =>
        Assert.Equal(QuernProcess.Run(Greedy("-n", "5", "once and")).Out, QuernProcess.Piped("once and", default, Greedy("-n", "5")).Out);

    [Fact]
    public void Sampling_options_are_those_of_the_samplers()
    {
        string[] options = ["run", "-m", _file.Path, "-n", "30", "--json", "--temp", "3", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--ignore-eos"];
        string Text(string seed) => QuernProcess.Run([.. options, "--seed", seed, "once"]).Json().GetProperty("text").GetString()!;
        Assert.Equal(Text("5"), Text("5"));
        Assert.NotEqual(Text("5"), Text("6"));
        QuernProcess.Run([.. options, "--top-p", "2", "once"]).AssertFails(2, "--top-p");
        QuernProcess.Run("run", "-m", _file.Path, "--top-p", "2", "once").AssertFails(2, "--top-p", "2");
        Assert.All(Engine.Sampling.SamplerTable.Options, option => Assert.Contains(option.Name, QuernProcess.Run("run", "--help").Out, StringComparison.Ordinal));
    }

    [Fact]
    public void Stop_texts_end_the_text()
    {
        string whole = QuernProcess.Run(Greedy("-n", "40", "--json", "once and")).Json().GetProperty("text").GetString()!;
        string stop = whole.Substring(whole.Length / 2, 2);
        JsonElement json = QuernProcess.Run(Greedy("-n", "40", "--json", "--stop", "never this", "--stop", stop, "once and")).Json();
        Assert.Equal("stop", json.GetProperty("finish_reason").GetString());
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], json.GetProperty("text").GetString());
    }

    [Fact]
    public void A_full_context_ends_the_text_and_a_longer_prompt_is_refused()
    {
        JsonElement json = QuernProcess.Run(Greedy("-c", "32", "--json", "once")).Json();
        Assert.Equal("context", json.GetProperty("finish_reason").GetString());
        QuernProcess.Run(Greedy("-c", "8", new string('x', 20))).AssertFails(1, "context of 8 tokens is full", "-c");
    }

    [Fact]
    public void A_context_beyond_the_trained_one_is_told()
    {
        QuernProcess quern = QuernProcess.Run(Greedy("-c", "128", "-n", "1", "once"));
        Assert.Equal(0, quern.ExitCode);
        Assert.Contains("quern: warning: the context of 128 tokens is longer than the 96", quern.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--exact")]
    [InlineData("--kv-type", "f32")]
    [InlineData("--kv-type", "BF16,f16")]
    [InlineData("-b", "3")]
    public void Ways_to_compute_agree_on_the_text(params string[] options) =>
        Assert.Equal(QuernProcess.Run(Greedy("-n", "5", "once and")).Out, QuernProcess.Run(Greedy(["-n", "5", .. options, "once and"])).Out);

    [Fact]
    public void Ctrl_C_keeps_the_text_and_prints_the_statistics()
    {
        using CancellationTokenSource cancel = new();
        using CancellingWriter output = new(cancel, afterWrites: 3);
        using StringReader input = new("");
        QuernProcess quern = QuernProcess.Run(input, output, redirected: false, cancel.Token, Greedy("once and"));
        Assert.Equal(130, quern.ExitCode);
        Assert.NotEqual("", quern.Out.Trim());
        Assert.Contains("ended by cancelled", quern.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reader_that_goes_away_ends_the_text_quietly()
    {
        using BrokenPipeWriter output = new();
        using StringReader input = new("");
        QuernProcess quern = QuernProcess.Run(input, output, redirected: false, default, Greedy("once and"));
        Assert.Equal((141, ""), (quern.ExitCode, quern.Error));
        Assert.InRange(output.Writes, 1, 2);
    }

    [Fact]
    public void Ctrl_C_while_loading_ends_quietly()
    {
        QuernProcess quern = QuernProcess.Piped(null, new CancellationToken(true), Greedy("once and"));
        Assert.Equal((130, "", ""), (quern.ExitCode, quern.Out, quern.Error));
    }

    [Theory]
    [InlineData("-t", "0")]
    [InlineData("-c", "-4")]
    [InlineData("-b", "0")]
    [InlineData("-n", "-2")]
    public void Numbers_out_of_range_are_wrong_uses(string option, string value) =>
        QuernProcess.Run("run", "-m", _file.Path, option, value, "hi").AssertFails(2, value, "expected at least");

    [Fact]
    public void Other_wrong_uses_are_told()
    {
        QuernProcess.Run("run", "-m", _file.Path, "--kv-type", "q3", "hi").AssertFails(2, "q3", "f32, f16, bf16, q8_0, q4_0");
        QuernProcess.Run("run", "-m", _file.Path, "--kv-type", "f16,f16,f16", "hi").AssertFails(2, "f16,f16,f16", "keys first");
        QuernProcess.Run("run", "-m", _file.Path, "--kv-type", "q4_0", "hi").AssertFails(1, "multiples of 32");
        QuernProcess.Run("run", "-m", _file.Path, "--stop", "", "hi").AssertFails(2, "--stop is empty");
        QuernProcess.Run("run", "-m", _file.Path, "--seed", "1", "--seed", "2", "hi").AssertFails(2, "--seed");
    }

    [Fact]
    public void DevicesAreRefusedWithAWayOut()
    {
        QuernProcess.Run("run", "-m", _file.Path, "--device", "tpu", "hi").AssertFails(2, "tpu", "cpu, gpu, opencl, simulated");
        QuernProcess.Run("run", "-m", _file.Path, "--device", "gpu", "--gpu-layers", "few", "hi").AssertFails(2, "few", "a number, all or auto");
        QuernProcess.Run("run", "-m", _file.Path, "--gpu-layers", "4", "hi").AssertFails(2, "--device gpu");
#if !GPU
        QuernProcess.Run("run", "-m", _file.Path, "--device", "gpu", "hi").AssertFails(2, "built without the GPU room", "-p:Gpu=true");
#endif
    }

    [SharedFact]
    public void The_recorded_story_is_told()
    {
        using JsonDocument record = JsonDocument.Parse(File.ReadAllBytes(SharedData.Path("golden", "stories260K", "tokens.json")));
        string model = SharedData.Path("golden", "stories260K", "model.gguf");
        JsonElement json = QuernProcess.Run("run", "-m", model, "Once upon a time", "--temp", "0", "-n", "200", "--json").Json();
        Assert.Equal(
            record.RootElement.GetProperty("greedy_200").EnumerateArray().Select(id => id.GetInt32()),
            json.GetProperty("tokens").EnumerateArray().Select(id => id.GetInt32()));
        Assert.Equal(record.RootElement.GetProperty("greedy_text").GetString(), " Once upon a time" + json.GetProperty("text").GetString());
    }

    /// <summary>A pipe without a reader.</summary>
    private sealed class BrokenPipeWriter : StringWriter
    {
        public int Writes { get; private set; }

        public override void Write(string? value) => Writes++;

        public override void Flush()
        {
            if (Writes > 0) throw new IOException("Broken pipe", OperatingSystem.IsWindows() ? unchecked((int)0x8007006D) : 32);
        }

        public override Encoding Encoding => Encoding.UTF8;
    }

    /// <summary>Presses Ctrl-C after some writes.</summary>
    private sealed class CancellingWriter(CancellationTokenSource cancel, int afterWrites) : StringWriter
    {
        private int _writes;

        public override void Write(string? value)
        {
            base.Write(value);
            if (++_writes == afterWrites) cancel.Cancel();
        }

        public override Encoding Encoding => Encoding.UTF8;
    }

    [ShippedModelTheory]
    [InlineData("ngram")]
    [InlineData("suffix")]
    [InlineData("model")]
    [InlineData("auto")]
    public void Speculation_says_the_same(string kind)
    {
        string[] run = ["run", "--temp", "0", "-n", "120", "-t", "1", "--json", "Once upon a time, there was a little fox named Mia."];
        JsonElement plain = QuernProcess.Run(run).Json(), proposed = QuernProcess.Run([.. run, "--speculate", kind, "--draft-tokens", "4"]).Json();
        Assert.Equal(plain.GetProperty("text").GetString(), proposed.GetProperty("text").GetString());
        Assert.Equal(plain.GetProperty("finish_reason").GetString(), proposed.GetProperty("finish_reason").GetString());
        Assert.Equal(0, plain.GetProperty("statistics").GetProperty("proposed_tokens").GetInt64());
    }

    [Fact]
    public void A_draft_that_does_not_fit_is_refused()
    {
        using TinyModel other = new(lastWord: "ly");
        QuernProcess.Run("run", "-m", _file.Path, "--speculate", "model", "once").AssertFails(2, "needs a draft", "--draft FILE");
        QuernProcess.Run("run", "-m", _file.Path, "--draft", other.Path, "once").AssertFails(1, "token 274 is \"er\" in the target, \"ly\" in the draft");
        QuernProcess.Run("run", "-m", _file.Path, "--draft", "none.gguf", "once").AssertFails(1, "none.gguf");
        QuernProcess.Run("run", "-m", _file.Path, "--speculate", "magic", "once").AssertFails(2, "magic");
        QuernProcess.Run("run", "-m", _file.Path, "--draft-tokens", "0", "once").AssertFails(2, "--draft-tokens is 0");
    }
}
