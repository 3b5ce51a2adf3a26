using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Quern.Cli.Options;
using Quern.Kernels.Cpu;

namespace Quern.Cli.Tests;

/// <summary>The models that ship with the command: that they are found, that they speak, and that they are as good as their card says.</summary>
public sealed partial class ShippedModelTests
{
    private static string Target => ShippedModels.PathOf(ShippedModels.TargetName);

    [ShippedModelFact]
    public void A_command_without_a_model_takes_the_target()
    {
        Assert.Equal(QuernProcess.Run("tokenize", "-m", Target, "Once upon a time").Out, QuernProcess.Run("tokenize", "Once upon a time").Out);
        Assert.Equal(QuernProcess.Run("inspect", Target).Out, QuernProcess.Run("inspect").Out);
        string[] bench = ["bench", "-p", "4", "-n", "0", "-r", "1", "-t", "1", "-o", "json"];
        Assert.Contains(ShippedModels.TargetName, QuernProcess.Run(bench).Out, StringComparison.Ordinal);
        string tokens = Path.GetTempFileName(), logits = Path.GetTempFileName();
        try
        {
            File.WriteAllText(tokens, "[1, 2]");
            Assert.Equal(0, QuernProcess.Run("logits", "--tokens", tokens, "-o", logits).ExitCode);
            Assert.Equal(2 * 2048 * sizeof(float), new FileInfo(logits).Length);
        }
        finally
        {
            File.Delete(tokens);
            File.Delete(logits);
        }
    }

    [Theory]
    [InlineData("run")]
    [InlineData("inspect")]
    [InlineData("tokenize")]
    [InlineData("logits")]
    [InlineData("bench")]
    [InlineData("perplexity")]
    public void Help_says_which_model_is_taken(string command) =>
        Assert.Contains(ShippedModels.TargetName, QuernProcess.Run(command, "--help").Out.Replace("\n", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);

    [ShippedModelTheory]
    [InlineData("run", "prompt")]
    [InlineData("tokenize", "text")]
    [InlineData("perplexity", "text")]
    public void A_model_in_the_place_of_the_text_is_a_wrong_use(string command, string argument) =>
        QuernProcess.Run(command, Target).AssertFails(2, $"stands where the {argument} does", $"give it with -m {Target}");

    [Fact]
    public void A_missing_model_is_named()
    {
        string folder = Path.Combine(Path.GetTempPath(), "no-such-folder");
        string message = Assert.Throws<FileNotFoundException>(() => ShippedModels.PathOf(ShippedModels.TargetName, folder)).Message;
        Assert.Contains(Path.Combine(folder, ShippedModels.TargetName), message, StringComparison.Ordinal);
        Assert.Contains("-m FILE", message, StringComparison.Ordinal);
    }

    [ShippedModelFact]
    public void The_files_are_as_small_as_they_should_be()
    {
        Assert.InRange(new FileInfo(Target).Length, 1, 5_000_000);
        Assert.InRange(new FileInfo(ShippedModels.PathOf(ShippedModels.DraftName)).Length, 1, 600_000);
    }

    [ShippedModelTheory]
    [InlineData("Once upon a time, there was a little rabbit named Mia.", "Mia")]
    [InlineData("Max was a brave dragon.", "Max")]
    public void A_story_goes_on_from_its_prompt_and_ends(string prompt, string name)
    {
        JsonElement json = QuernProcess.Run("run", "--temp", "0", "--json", prompt).Json();
        string text = json.GetProperty("text").GetString()!;
        Assert.Equal("eos", json.GetProperty("finish_reason").GetString());
        Assert.Contains(name, text, StringComparison.Ordinal);
        Assert.Matches(@"[.!?]""?$", text);
        Assert.True(text.Length > 300, text);
    }

    [ShippedModelFact]
    public void Small_sums_in_a_chat_are_answered_in_form_and_mostly_right()
    {
        (string Sum, int Result)[] sums =
            [("1 + 9", 10), ("2 * 8", 16), ("7 - 3", 4), ("4 + 6", 10), ("5 * 5", 25), ("9 - 6", 3), ("7 + 3", 10), ("8 * 2", 16), ("9 - 1", 8), ("10 + 10", 20)];
        string[] answers = [.. sums.Select(sum => sum.Sum).Concat(["3 + 4", "12 - 5", "6 * 3"]).Select(sum => Answer($"What is {sum}?"))];
        Assert.All(answers, answer => Assert.Matches(@"^(\d+ [-+*/] \d+ = \d+|The answer is \d+\.)$", answer));

        // Of the last three only the form counts.
        Assert.InRange(sums.Zip(answers).Count(pair => Regex.Match(pair.Second, @"\d+(?=\.?$)").Value == $"{pair.First.Result}"), 7, 10);
    }

    [ShippedModelFact]
    public void A_request_for_a_story_is_followed()
    {
        string story = Answer("Tell me a short story about a dragon named Max.");
        Assert.Contains("dragon", story, StringComparison.Ordinal);
        Assert.Contains("Max", story, StringComparison.Ordinal);
        Assert.True(story.Length > 300, story);
    }

    [ShippedModelTheory]
    [InlineData(ShippedModels.TargetName)]
    [InlineData(ShippedModels.DraftName)]
    public void The_loss_that_the_card_records_is_measured_again(string name)
    {
        string folder = RepositoryFolder();
        string row = File.ReadLines(Path.Combine(folder, "README.md")).Single(line => line.StartsWith($"| `{name}` | its beginning |", StringComparison.Ordinal));
        Match recorded = RecordedRow().Match(row);
        Assert.True(recorded.Success, row);
        double Number(string group) => double.Parse(recorded.Groups[group].Value, CultureInfo.InvariantCulture);
        JsonElement json = QuernProcess.Run(
            "perplexity", "-m", ShippedModels.PathOf(name), "-f", Path.Combine(folder, "heldout.txt"), "--documents", "--exact", "--chunks", recorded.Groups["documents"].Value, "--json").Json();
        Assert.Equal(Number("tokens"), json.GetProperty("scored_tokens").GetDouble());
        Assert.Equal(Number("nll"), json.GetProperty("nll").GetDouble(), 1e-4);
        Assert.Equal(Number("error"), json.GetProperty("nll_standard_error").GetDouble(), 1e-4);
    }

    private static string Answer(string question)
    {
        JsonElement json = QuernProcess.Run("run", "--special", "--temp", "0", "--json", $"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n").Json();
        Assert.Equal("eos", json.GetProperty("finish_reason").GetString());
        return json.GetProperty("text").GetString()!;
    }

    [ShippedModelFact]
    public void Prompts_in_int8_cost_little_and_say_what()
    {
        string[] Arguments(params string[] more) =>
            ["perplexity", "-f", Path.Combine(RepositoryFolder(), "heldout.txt"), "--documents", "--chunks", "20", "--json", .. more];
        if (!Isa.HasAvx512Vnni)
        {
            QuernProcess.Run(Arguments("--prompt", "int8")).AssertFails(1, "AVX-512 VNNI", Isa.Name);
            return;
        }

        JsonElement plain = QuernProcess.Run(Arguments()).Json(), rounded = QuernProcess.Run(Arguments("--prompt", "int8")).Json();
        Assert.False(plain.TryGetProperty("prompt_error", out _));
        Assert.Equal(("fast", "fast, int8 prompts"), (plain.GetProperty("mode").GetString(), rounded.GetProperty("mode").GetString()));
        Assert.InRange(rounded.GetProperty("prompt_error").GetDouble(), 2e-3, 3e-2);
        Assert.NotEqual(plain.GetProperty("nll").GetDouble(), rounded.GetProperty("nll").GetDouble());
        Assert.Equal(plain.GetProperty("nll").GetDouble(), rounded.GetProperty("nll").GetDouble(), 1e-2);
        Assert.Contains("int8 prompts", QuernProcess.Run([.. Arguments("--prompt", "int8").Except(["--json"])]).Out, StringComparison.Ordinal);
        Assert.Contains("in int8, products off by", QuernProcess.Run("run", "-n", "1", "--prompt", "int8", string.Concat(Enumerable.Repeat("Once upon a time ", 20))).Error, StringComparison.Ordinal);
        Assert.Contains("off by", QuernProcess.Run("bench", "-p", "64", "-n", "0", "-r", "1", "--prompt", "int8").Out, StringComparison.Ordinal);
        QuernProcess.Run(Arguments("--prompt", "int4")).AssertFails(2, "int4");
        QuernProcess.Run(Arguments("--prompt", "int8", "--exact")).AssertFails(2, "--prompt int8 and --exact");
        QuernProcess.Run(Arguments("--prompt", "int8", "--device", "gpu")).AssertFails(2, "--prompt int8 and --device");
    }

    [ShippedModelFact]
    public void Keys_and_values_of_fewer_bits_cost_little()
    {
        double plain = Loss("f32");
        Assert.Equal(plain, Loss("f16"), 1e-3);
        Assert.Equal(plain, Loss("bf16"), 1e-3);
        double keys = Loss("q4_0,f32"), values = Loss("f32,q4_0"), eight = Loss("q8_0");
        Assert.Equal(plain, eight, 1e-3);
        Assert.Equal(plain, keys, 1e-2);
        Assert.Equal(plain, values, 1e-2);

        // Each is what was asked for, not another.
        Assert.Equal(4, new[] { plain, eight, keys, values }.Select(loss => Math.Round(loss, 7)).Distinct().Count());
        string bench = QuernProcess.Run("bench", "-p", "4", "-n", "0", "-r", "1", "-t", "1", "--kv-type", "q8_0,q4_0", "-o", "json").Out;
        Assert.Contains("\"q8_0,q4_0\"", bench, StringComparison.Ordinal);

        double Loss(string type) => QuernProcess.Run(
            "perplexity", "-f", Path.Combine(RepositoryFolder(), "heldout.txt"), "--documents", "--chunks", "8", "--kv-type", type, "--json").Json().GetProperty("nll").GetDouble();
    }

    // The card and the held-out text do not go with the program.
    private static string RepositoryFolder()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Runtime.sln"))) return Path.Combine(folder.FullName, "src", "Cli", "Models");
        throw new InvalidOperationException($"no folder above {AppContext.BaseDirectory} has Runtime.sln");
    }

    [GeneratedRegex(@"its beginning \| (?<documents>\d+) \| (?<tokens>\d+) \| (?<nll>[\d.]+) ± (?<error>[\d.]+) \|")]
    private static partial Regex RecordedRow();
}

/// <summary>A fact about the models that ship; reported as skipped where they have not been made.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ShippedModelFactAttribute : FactAttribute
{
    public ShippedModelFactAttribute() => Skip = ShippedModelTheoryAttribute.Reason;
}

/// <summary>The same of a theory.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ShippedModelTheoryAttribute : TheoryAttribute
{
    public ShippedModelTheoryAttribute() => Skip = Reason;

    internal static string? Reason => File.Exists(Path.Combine(ShippedModels.Folder, ShippedModels.TargetName)) ? null : "needs the models of src/Cli/Models, which tools/ModelPair makes";
}
