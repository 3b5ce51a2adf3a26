namespace Quern.Cli.Tests;

public sealed class CommandLineTests
{
    private static readonly string[] Names = ["run", "inspect", "tokenize", "logits", "bench", "perplexity", "quantize"];

    public static TheoryData<string> Commands => [.. Names];

    [Fact]
    public void Without_arguments_help_is_shown()
    {
        QuernProcess quern = QuernProcess.Run();
        Assert.Equal(0, quern.ExitCode);
        Assert.Equal("", quern.Error);
        Assert.All(Names, name => Assert.Contains($"  {name} ", quern.Out, StringComparison.Ordinal));
        Assert.Equal(quern.Out, QuernProcess.Run("--help").Out);
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Help_teaches_by_examples_that_parse(string command)
    {
        QuernProcess quern = QuernProcess.Run(command, "--help");
        Assert.Equal((0, ""), (quern.ExitCode, quern.Error));
        string examples = quern.Out[quern.Out.IndexOf("Examples:", StringComparison.Ordinal)..];
        Assert.Contains($"quern {command}", examples, StringComparison.Ordinal);
    }

    [Fact]
    public void The_version_is_one_line()
    {
        QuernProcess quern = QuernProcess.Run("--version");
        Assert.Equal((0, ""), (quern.ExitCode, quern.Error));
        Assert.Matches(@"^quern \d+\.\d+\.\d+\S*\r?\n$", quern.Out);
    }

    [Fact]
    public void An_unknown_command_is_a_wrong_use() => QuernProcess.Run("wander").AssertFails(2, "wander", "quern --help");

    [Fact]
    public void An_unknown_option_is_a_wrong_use() => QuernProcess.Run("bench", "--wander").AssertFails(2, "--wander", "quern bench --help");

    [Fact]
    public void A_number_that_is_none_is_a_wrong_use() => QuernProcess.Run("run", "-m", "x.gguf", "-n", "many", "hi").AssertFails(2, "many", "quern run --help");

    [Theory]
    [InlineData("run", "-m", "no-such.gguf", "hi")]
    [InlineData("inspect", "no-such.gguf")]
    [InlineData("tokenize", "-m", "no-such.gguf", "hi")]
    [InlineData("bench", "-m", "no-such.gguf")]
    [InlineData("perplexity", "-m", "no-such.gguf", "hi")]
    [InlineData("quantize", "no-such.gguf", "out.gguf", "Q8_0")]
    public void A_missing_file_is_a_failure_that_names_it(params string[] args) => QuernProcess.Run(args).AssertFails(1, "no-such.gguf");

    [Fact]
    public void A_damaged_file_is_one_line_and_no_trace()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "this is no model at all");
            QuernProcess.Run("inspect", path).AssertFails(1, Path.GetFileName(path));
            QuernProcess.Run("run", "-m", path, "hi").AssertFails(1, Path.GetFileName(path));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
