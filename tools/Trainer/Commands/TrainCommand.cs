using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Quern.Gguf;
using Quern.Trainer.Files;
using Quern.Trainer.Model;
using Quern.Trainer.Products;
using Quern.Trainer.Runs;

namespace Quern.Trainer.Commands;

/// <summary><c>quern-trainer train</c>.</summary>
internal static class TrainCommand
{
    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(5);

    public static Command Create(TextWriter output, CancellationToken cancelled)
    {
        Option<string> config = new("--config") { Description = $"Preset ({string.Join(", ", TrainerConfig.Presets.Keys)}) or JSON file; with --resume, the checkpoint's.", HelpName = "NAME|FILE" };
        Option<string> data = new("--data") { Description = "Folder with train.tok, heldout.tok and vocabulary.gguf.", HelpName = "DIR", Required = true };
        Option<string> folder = new("--out") { Description = "Folder for checkpoint.gguf, log.csv and loss.svg.", HelpName = "DIR", Required = true };
        Option<int?> steps = new("--steps") { Description = "Steps of the whole run, instead of the configuration's; the learning rate follows them." };
        Option<double?> minutes = new("--minutes") { Description = "Stop after so long with a checkpoint; --resume goes on." };
        Option<bool> resume = new("--resume") { Description = "Go on from the checkpoint in --out, bit for bit as if the run had not stopped." };
        Option<string> teacher = new("--teacher") { Description = "Learn from this model's probabilities too: a checkpoint or a GGUF with the same vocabulary.", HelpName = "FILE" };
        Option<ulong?> seed = new("--seed") { Description = "Seed of the first weights and of the data." };
        Option<int> threads = new("--threads") { Description = "Threads; the result does not depend on them.", DefaultValueFactory = _ => Environment.ProcessorCount };
        Command command = new("train", "Train a small Llama on token files. Ctrl-C saves a checkpoint and stops.")
        {
            config, data, folder, steps, minutes, resume, teacher, seed, threads,
        };
        command.SetAction(result =>
        {
            RunFolders folders = new(result.GetRequiredValue(data), result.GetRequiredValue(folder));
            bool resumes = result.GetValue(resume);
            TrainerConfig recipe = Recipe(folders, resumes, result.GetValue(config), result.GetValue(steps), result.GetValue(seed));
            bool done = Train(recipe, folders, resumes, result.GetValue(teacher), result.GetValue(minutes), result.GetValue(threads), output, cancelled);
            output.WriteLine($"{(done ? "done" : "stopped; --resume goes on")}: {folders.Checkpoint}, {folders.Log}, {folders.Picture}");
            return 0;
        });
        return command;
    }

    private static TrainerConfig Recipe(RunFolders folders, bool resume, string? name, int? steps, ulong? seed)
    {
        TrainerConfig config;
        if (resume)
        {
            if (!File.Exists(folders.Checkpoint)) throw new InvalidDataException($"{folders.Checkpoint}: there is no checkpoint to resume");
            if (seed is not null) throw new InvalidDataException("--seed cannot change in a run that resumes: its data follow from the first one");
            using GgufFile file = GgufFile.Open(folders.Checkpoint);
            config = name is null ? Checkpoint.Config(file) : TrainerConfig.Find(name);
        }
        else
        {
            if (File.Exists(folders.Checkpoint)) throw new InvalidDataException($"{folders.Checkpoint} exists: go on with --resume, or choose another folder");
            config = TrainerConfig.Find(name ?? throw new InvalidDataException($"--config is missing; expected a preset ({string.Join(", ", TrainerConfig.Presets.Keys)}) or a JSON file"));
        }

        return config with { Training = config.Training with { Steps = steps ?? config.Training.Steps, Seed = seed ?? config.Training.Seed } };
    }

    /// <summary>Trains with a line of progress every few seconds.</summary>
    /// <returns>Whether the plan is done.</returns>
    public static bool Train(
        TrainerConfig config, RunFolders folders, bool resume, string? teacherPath, double? minutes, int threads, TextWriter output, CancellationToken cancelled)
    {
        if (threads < 1) throw new InvalidDataException($"--threads is {threads}; expected at least 1");
        using Crew crew = new(threads);
        Network<float>? teacher = teacherPath is null ? null : LlamaFile.Load(teacherPath, crew);
        using TrainingRun run = new(config, folders, crew, teacher);
        if (resume) run.Resume();
        TrainingPlan plan = config.Training;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{config.Name}: {run.Network.Layout.Count / 1e6:f2} M parameters, {plan.Sequences} x {config.Model.Context} tokens a step, step {run.Progress.Step} of {plan.Steps}, {threads} threads"));
        long start = Stopwatch.GetTimestamp(), reported = 0;
        return run.Train(
            record =>
            {
                if (record.HeldOut is null && reported != 0 && Stopwatch.GetElapsedTime(reported) < ReportEvery) return;
                reported = Stopwatch.GetTimestamp();
                string heldOut = record.HeldOut is double loss ? string.Create(CultureInfo.InvariantCulture, $", held out {loss:f4}") : "";
                output.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"step {record.Step}/{plan.Steps}: loss {record.Loss:f4}{heldOut}, rate {record.LearningRate:g3}, gradient {record.GradientNorm:f2}, {record.TokensPerSecond:f0} tokens/s"));
            },
            () => cancelled.IsCancellationRequested || (minutes is double most && Stopwatch.GetElapsedTime(start).TotalMinutes >= most));
    }
}
