using System.Text;
using System.Text.Json;
using Quern.Corpus.Building;
using Quern.Engine;
using Quern.Gguf;
using Quern.Trainer.Files;

namespace Quern.ModelPair.Tests;

/// <summary>A miniature pair on disk: stopped once while each model trains, and made to the end.</summary>
public sealed class MiniaturePair : IDisposable
{
    public MiniaturePair()
    {
        Stopped = [Run("step 2/6"), Run("step 2/4")];
        Finished = Run();
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("quern-pair-").FullName;

    /// <summary>The runs that were told to stop.</summary>
    internal IReadOnlyList<PairRun> Stopped { get; }

    /// <summary>The run that came to the end.</summary>
    internal PairRun Finished { get; }

    internal PairFolders Folders => new(Folder);

    internal PairRun Run(string? stopAt = null) => PairRun.Of(stopAt, "--out", Folder, "--miniature", "--threads", "2");

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}

/// <summary>What a run of the command left behind.</summary>
internal sealed record PairRun(int ExitCode, string Out, string Error)
{
    /// <summary>Runs the command; Ctrl-C comes when it writes a text.</summary>
    public static PairRun Of(string? stopAt, params string[] args)
    {
        using CancellationTokenSource cancel = new();
        using CancellingWriter output = new(cancel, stopAt);
        using StringWriter error = new();
        int code = PairCommand.Invoke(args, output, error, cancel.Token);
        return new PairRun(code, output.ToString(), error.ToString());
    }

    private sealed class CancellingWriter(CancellationTokenSource cancel, string? at) : StringWriter
    {
        public override Encoding Encoding => Encoding.UTF8;

        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (at is not null && value?.StartsWith(at, StringComparison.Ordinal) == true) cancel.Cancel();
        }
    }
}

public sealed class MiniatureTests(MiniaturePair pair) : IClassFixture<MiniaturePair>
{
    [Fact]
    public void A_run_that_is_stopped_says_how_to_go_on_and_goes_on()
    {
        Assert.All(pair.Stopped, run => Assert.Equal((130, "quern-model-pair: stopped; the same command goes on"), (run.ExitCode, run.Error.Trim())));
        Assert.Contains("corpus: 1,000 documents", pair.Stopped[0].Out, StringComparison.Ordinal);
        Assert.Contains("step 0 of 6", pair.Stopped[0].Out, StringComparison.Ordinal);
        Assert.Contains("corpus: done", pair.Stopped[1].Out, StringComparison.Ordinal);
        Assert.Contains("step 3 of 6", pair.Stopped[1].Out, StringComparison.Ordinal);
        Assert.Contains("step 0 of 4", pair.Stopped[1].Out, StringComparison.Ordinal);
        Assert.Equal((0, ""), (pair.Finished.ExitCode, pair.Finished.Error));
        Assert.Contains("target: done", pair.Finished.Out, StringComparison.Ordinal);
        Assert.Contains("step 3 of 4", pair.Finished.Out, StringComparison.Ordinal);
        Assert.Contains("acceptance at k = 4", pair.Finished.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_done_is_skipped_and_stays_as_it_is()
    {
        string[] files = [pair.Folders.TargetModel, pair.Folders.DraftModel, pair.Folders.Card, pair.Folders.Sample, pair.Folders.Prompts, pair.Folders.Measurements];
        byte[][] before = [.. files.Select(File.ReadAllBytes)];
        PairRun again = pair.Run();
        Assert.Equal((0, ""), (again.ExitCode, again.Error));
        Assert.All(["corpus: done", "target: done", "draft: done", "measured: done"], line => Assert.Contains(line, again.Out, StringComparison.Ordinal));
        Assert.DoesNotContain("step ", again.Out.Replace(" steps", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(before, files.Select(File.ReadAllBytes));
    }

    [Fact]
    public void The_models_are_a_pair()
    {
        using QuernModel target = QuernModel.Load(pair.Folders.TargetModel), draft = QuernModel.Load(pair.Folders.DraftModel);
        Assert.Equal((64, 2, 32, 1), (target.Config.Width, target.Config.LayerCount, draft.Config.Width, draft.Config.LayerCount));
        Assert.Equal(target.Vocabulary.Tokens, draft.Vocabulary.Tokens);
        Assert.All(target.File.Tensors.Concat(draft.File.Tensors).Where(tensor => tensor.Dimensions.Length == 2), tensor => Assert.Equal("Q8_0", tensor.TypeName));
        using GgufFile checkpoint = GgufFile.Open(pair.Folders.Draft.Checkpoint);
        Assert.Equal(PairRecipe.Miniature.Draft, Checkpoint.Config(checkpoint));
    }

    [Fact]
    public void The_card_says_what_was_measured()
    {
        string card = File.ReadAllText(pair.Folders.Card);
        PairMeasurements measured = PairMeasurements.Parse(File.ReadAllText(pair.Folders.Measurements), "measurements.json");
        Assert.Equal(6, measured.HeldOut.Count);
        Assert.All(measured.HeldOut, one => Assert.InRange(one.Nll, 6, 8.5));
        Assert.All(measured.HeldOut, one => Assert.Contains(FormattableString.Invariant($"{one.Nll:f5} ± {one.NllError:f5}"), card, StringComparison.Ordinal));
        Assert.All(measured.HeldOut, one => Assert.Contains("    " + one.Command, card, StringComparison.Ordinal));
        Assert.Equal([1, 2, 4, 8], measured.Acceptance.Rows.Select(row => row.DraftLength));
        Assert.Equal(3, measured.Acceptance.Prompts);
        Assert.All(measured.Acceptance.Rows, row => Assert.Contains(FormattableString.Invariant($"| {row.DraftLength} | {row.Rounds} | {row.Proposed} | {row.Accepted} | {100 * row.Share:f2} % |"), card, StringComparison.Ordinal));
        Assert.Equal(SamplePrompts.All.Count, measured.Samples.Count);
        Assert.Contains("quern-corpus build --out DIR --documents 1000 --seed 1", card, StringComparison.Ordinal);
        Assert.Contains("tools/ModelPair -- --out DIR --miniature", card, StringComparison.Ordinal);
        Assert.DoesNotContain(pair.Folder, card, StringComparison.Ordinal);
    }

    [Fact]
    public void Prompts_end_where_somebody_would_go_on()
    {
        string[] prompts = JsonSerializer.Deserialize<string[]>(File.ReadAllText(pair.Folders.Prompts))!;
        HeldOutText text = HeldOutText.Read(Path.Combine(pair.Folders.Corpus, CorpusBuild.HeldOutTextName));
        IReadOnlyList<string> all = text.Prompts(int.MaxValue);
        Assert.Equal(prompts, all.Take(3));
        Assert.Equal(100, all.Count);
        Assert.All(all, prompt => Assert.True(
            prompt.StartsWith("<|im_start|>", StringComparison.Ordinal) ? prompt.EndsWith("<|im_start|>assistant\n", StringComparison.Ordinal) : !prompt.Contains("<|", StringComparison.Ordinal), prompt));
        string sample = File.ReadAllText(pair.Folders.Sample);
        Assert.InRange(sample.Length, 3000, 5500);
        Assert.StartsWith(sample, File.ReadAllText(Path.Combine(pair.Folders.Corpus, CorpusBuild.HeldOutTextName)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_of_another_recipe_is_refused()
    {
        PairRun other = PairRun.Of(null, "--out", pair.Folder);
        Assert.Equal(1, other.ExitCode);
        Assert.Contains("--documents 1000 --seed 1'; expected 'quern-corpus build --out DIR --tokens 60000000 --seed 1'", other.Error, StringComparison.Ordinal);
        PairRecipe longer = PairRecipe.Miniature with { Target = PairRecipe.Miniature.Target with { Training = PairRecipe.Miniature.Target.Training with { Steps = 7 } } };
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => new PairBuild(longer, pair.Folders, 1, TextWriter.Null, default).Run());
        Assert.Contains("is of another recipe of the target", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Help_teaches_and_wrong_uses_are_told()
    {
        PairRun help = PairRun.Of(null, "--help");
        Assert.Equal((0, ""), (help.ExitCode, help.Error));
        Assert.Contains("quern-model-pair --out small --miniature", help.Out, StringComparison.Ordinal);
        PairRun missing = PairRun.Of(null);
        Assert.Equal(2, missing.ExitCode);
        Assert.Contains("--out", missing.Error, StringComparison.Ordinal);
        Assert.Contains("--threads is 0", PairRun.Of(null, "--out", "x", "--threads", "0").Error, StringComparison.Ordinal);
    }
}
