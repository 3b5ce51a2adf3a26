using System.Text.Json;
using Quern.TestKit;

namespace Quern.Acceptance.Tests;

public sealed class AcceptanceTests : IDisposable
{
    private readonly TinyModel _target = new();
    private readonly TinyModel _draft = new(noise: 0.05f);
    private readonly string _folder = Directory.CreateTempSubdirectory("quern-acceptance-").FullName;

    public void Dispose()
    {
        _target.Dispose();
        _draft.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Json_has_the_totals_and_every_prompt()
    {
        string prompts = Write("prompts.txt", "once and\n\nthe one\nthen\n");
        JsonElement json = Json("-m", _target.Path, "-d", _draft.Path, "-p", prompts, "-n", "40", "-k", "1", "4", "--ignore-eos");
        Assert.Equal((3, 40, 120), (json.GetProperty("prompts").GetInt32(), json.GetProperty("max_tokens").GetInt32(), json.GetProperty("generated_tokens").GetInt32()));
        JsonElement[] texts = [.. json.GetProperty("texts").EnumerateArray()];
        Assert.Equal(3, texts.Length);
        foreach ((int index, int k) in new[] { (0, 1), (1, 4) })
        {
            JsonElement total = json.GetProperty("results")[index];
            Assert.Equal(k, total.GetProperty("k").GetInt32());
            foreach (string field in new[] { "rounds", "proposed", "accepted" })
                Assert.Equal(texts.Sum(text => text.GetProperty("results")[index].GetProperty(field).GetInt64()), total.GetProperty(field).GetInt64());
            Assert.Equal(total.GetProperty("rounds").GetInt64() * k, total.GetProperty("proposed").GetInt64());
            Assert.Equal(total.GetProperty("accepted").GetInt64() / (double)total.GetProperty("proposed").GetInt64(), total.GetProperty("acceptance").GetDouble());
            Assert.Equal(total.GetProperty("accepted").GetInt64() / (double)total.GetProperty("rounds").GetInt64(), total.GetProperty("mean_accepted_length").GetDouble());
            Assert.InRange(total.GetProperty("acceptance").GetDouble(), 0.01, 0.99);
        }
    }

    [Fact]
    public void A_table_has_a_row_for_each_draft_length()
    {
        (int code, string output, string error) = Run("-m", _target.Path, "-d", _target.Path, "-p", Write("one.txt", "once and"), "-n", "20", "--ignore-eos");
        Assert.Equal((0, ""), (code, error));
        string[] lines = output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("1 prompt, 20 tokens of the target, fast", lines[0]);
        Assert.Matches(@"^\| +4 \| +4 \| +16 \| +16 \| +100\.00 % \| +4\.000 \|$", lines[5]);
        Assert.Equal(7, lines.Length);
    }

    [Fact]
    public void The_same_again_is_the_same()
    {
        string[] args = ["-m", _target.Path, "-d", _draft.Path, "-p", Write("one.txt", "once and"), "--json"];
        Assert.Equal(Run(args), Run(args));
    }

    [Fact]
    public void Prompts_come_from_json_and_from_a_text_in_pieces()
    {
        string json = Write("prompts.json", "[\"once\\nand\", \"the\"]");
        Assert.Equal(2, Json("-m", _target.Path, "-d", _draft.Path, "-p", json, "-n", "5").GetProperty("prompts").GetInt32());
        string text = Write("text.txt", new string('x', 50));
        // 51 tokens with the space before the text; a piece of 12 begins with the token for the beginning of a text.
        JsonElement pieces = Json("-m", _target.Path, "-d", _draft.Path, "-f", text, "--prompt-tokens", "12", "-n", "5");
        Assert.Equal(4, pieces.GetProperty("prompts").GetInt32());
        Assert.All(pieces.GetProperty("texts").EnumerateArray(), piece => Assert.Equal(12, piece.GetProperty("prompt_tokens").GetInt32()));
        Assert.Equal(3, Json("-m", _target.Path, "-d", _draft.Path, "-f", text, "--prompt-tokens", "12", "--count", "3", "-n", "5").GetProperty("prompts").GetInt32());
    }

    [Fact]
    public void What_is_wrong_is_told_in_one_line()
    {
        string prompts = Write("prompts.txt", "once");
        using TinyModel other = new(lastWord: "or");
        AssertFails(2, "--draft", "-m", _target.Path, "-p", prompts);
        AssertFails(2, "one of --prompts and --text", "-m", _target.Path, "-d", _draft.Path);
        AssertFails(2, "one of --prompts and --text", "-m", _target.Path, "-d", _draft.Path, "-p", prompts, "-f", prompts);
        AssertFails(2, "--predict is 0", "-m", _target.Path, "-d", _draft.Path, "-p", prompts, "-n", "0");
        AssertFails(1, "DraftLengths is 0", "-m", _target.Path, "-d", _draft.Path, "-p", prompts, "-k", "0");
        AssertFails(1, "no-such.gguf", "-m", "no-such.gguf", "-d", _draft.Path, "-p", prompts);
        AssertFails(1, "token 274", "-m", _target.Path, "-d", other.Path, "-p", prompts);
        AssertFails(1, "there are no prompts", "-m", _target.Path, "-d", _draft.Path, "-p", Write("empty.txt", "\n \n"));
        AssertFails(1, "expected an array of strings", "-m", _target.Path, "-d", _draft.Path, "-p", Write("not.json", "{}"));
        AssertFails(1, "none of them empty", "-m", _target.Path, "-d", _draft.Path, "-p", Write("nothing.json", "[\"\"]"));
        AssertFails(1, "expected at least 64", "-m", _target.Path, "-d", _draft.Path, "-f", prompts);
        AssertFails(1, "expected at most 88", "-m", _target.Path, "-d", _draft.Path, "-p", Write("long.txt", new string('x', 100)));
    }

    [Fact]
    public void Help_shows_an_example()
    {
        (int code, string output, string error) = Run("--help");
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("Example: quern-acceptance -m target.gguf", output, StringComparison.Ordinal);
    }

    [SharedFact]
    public void A_quantised_model_drafts_nearly_all_of_its_original()
    {
        string folder = SharedData.Path("golden", "stories260K");
        JsonElement json = Json(
            "-m", Path.Combine(folder, "model.gguf"), "-d", Path.Combine(folder, "model-q8_0.gguf"), "-p", Write("story.txt", "Once upon a time"), "-n", "200", "--exact");
        Assert.All(json.GetProperty("results").EnumerateArray(), result => Assert.InRange(result.GetProperty("acceptance").GetDouble(), 0.9, 1));
        using JsonDocument record = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokens.json")));
        Assert.Equal(
            record.RootElement.GetProperty("greedy_200").EnumerateArray().Select(id => id.GetInt32()),
            json.GetProperty("texts")[0].GetProperty("tokens").EnumerateArray().Select(id => id.GetInt32()));
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static (int Code, string Output, string Error) Run(params string[] args)
    {
        using StringWriter output = new(), error = new();
        int code = AcceptanceCommand.Invoke(args, output, error, progress: false);
        return (code, output.ToString(), error.ToString());
    }

    private static JsonElement Json(params string[] args)
    {
        (int code, string output, string error) = Run([.. args, "--json"]);
        Assert.Equal((0, ""), (code, error));
        return JsonDocument.Parse(output).RootElement;
    }

    private static void AssertFails(int code, string message, params string[] args)
    {
        (int actual, string output, string error) = Run(args);
        Assert.Equal((code, ""), (actual, output));
        string line = Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("quern-acceptance: ", line, StringComparison.Ordinal);
        Assert.Contains(message, line, StringComparison.Ordinal);
    }
}
