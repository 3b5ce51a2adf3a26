using Quern.Gguf;
using Quern.Trainer.Runs;

namespace Quern.Trainer.Tests;

public sealed class CommandLineTests : IDisposable
{
    private readonly TrainingFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Training_resuming_and_exporting_are_one_command_each()
    {
        string config = _folder.Path("config.json"), output = _folder.Path("run"), model = _folder.Path("model.gguf");
        File.WriteAllText(config, TrainingFolder.Config.ToJson());
        Assert.Contains("step 2/2", Run("train", "--config", config, "--data", _folder.Folder, "--out", output, "--steps", "2", "--threads", "2"), StringComparison.Ordinal);
        Assert.Contains("exists: go on with --resume", Fails(1, "train", "--config", config, "--data", _folder.Folder, "--out", output), StringComparison.Ordinal);
        string resumed = Run("train", "--data", _folder.Folder, "--out", output, "--steps", "3", "--resume");
        Assert.Contains("step 2 of 3", resumed, StringComparison.Ordinal);
        Assert.Contains("step 3/3", resumed, StringComparison.Ordinal);
        Assert.Contains("after 3 steps", Run("export", Path.Combine(output, "checkpoint.gguf"), model), StringComparison.Ordinal);
        using GgufFile file = GgufFile.Open(model);
        Assert.Equal("Q8_0", file.Tensors[0].TypeName);
        Assert.Contains("is 'llama'; expected 'quern-trainer'", Fails(1, "export", model, model), StringComparison.Ordinal);
    }

    [Fact]
    public void Ctrl_C_saves_and_stops_after_the_step()
    {
        string config = _folder.Path("config.json"), output = _folder.Path("run");
        File.WriteAllText(config, TrainingFolder.Config.ToJson());
        using CancellationTokenSource cancel = new();
        cancel.Cancel();
        using StringWriter text = new(), error = new();
        Assert.Equal(0, CommandLine.Invoke(["train", "--config", config, "--data", _folder.Folder, "--out", output], text, error, cancel.Token));
        Assert.Contains("stopped; --resume goes on", text.ToString(), StringComparison.Ordinal);
        using GgufFile file = GgufFile.Open(Path.Combine(output, "checkpoint.gguf"));
        Assert.Equal(1, Files.Checkpoint.Progress(file).Step);
    }

    [Fact]
    public void Help_teaches()
    {
        string help = Run("--help");
        Assert.Contains("quern-trainer train --config target --data corpus --out runs/target", help, StringComparison.Ordinal);
        Assert.Contains("--teacher runs/target/checkpoint.gguf", help, StringComparison.Ordinal);
        Assert.Contains("\"hidden\": 768", Run("config", "target"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"model\": {}}", "missing required")]
    [InlineData("{\"model\": {\"width\":32,\"layers\":1,\"heads\":3,\"kvHeads\":2,\"headLength\":8,\"hidden\":9,\"vocabulary\":300,\"context\":8}}", "model.kvHeads is 2")]
    [InlineData("{\"model\": {\"width\":32,\"layers\":1,\"heads\":2,\"kvHeads\":2,\"headLength\":8,\"hidden\":9,\"vocabulary\":300,\"context\":8,\"hiden\":3}}", "hiden")]
    [InlineData("{\"model\": {\"width\":32,\"layers\":1,\"heads\":2,\"kvHeads\":2,\"headLength\":8,\"hidden\":9,\"vocabulary\":300,\"context\":8},\"training\":{\"beta2\":1}}", "training.beta2 is 1")]
    public void A_wrong_configuration_is_refused_by_field(string json, string problem) =>
        Assert.Contains(problem, Assert.Throws<InvalidDataException>(() => TrainerConfig.Parse(json, "my.json")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_missing_argument_is_a_usage_error()
    {
        Assert.Contains("--data", Fails(2, "train", "--out", "x"), StringComparison.Ordinal);
        Assert.Contains("target, draft", Fails(1, "train", "--config", "nothing", "--data", _folder.Folder, "--out", _folder.Path("x")), StringComparison.Ordinal);
    }

    private static string Run(params string[] args)
    {
        using StringWriter output = new(), error = new();
        int code = CommandLine.Invoke(args, output, error, CancellationToken.None);
        Assert.Equal("", error.ToString());
        Assert.Equal(0, code);
        return output.ToString();
    }

    private static string Fails(int code, params string[] args)
    {
        using StringWriter output = new(), error = new();
        Assert.Equal(code, CommandLine.Invoke(args, output, error, CancellationToken.None));
        return Assert.Single(error.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
