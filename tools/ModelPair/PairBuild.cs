using System.Text;
using System.Text.Json;
using Quern.Corpus.Building;
using Quern.Gguf;
using Quern.Trainer.Commands;
using Quern.Trainer.Files;
using Quern.Trainer.Runs;

namespace Quern.ModelPair;

/// <summary>Makes a pair, step by step; a step that is done already is skipped, and one that was stopped goes on.</summary>
/// <param name="recipe">What to make.</param>
/// <param name="folders">Where.</param>
/// <param name="threads">Threads of the trainings.</param>
/// <param name="output">Told how far it is.</param>
/// <param name="cancelled">Stops after a step of training, a batch of documents or a measured chunk.</param>
internal sealed class PairBuild(PairRecipe recipe, PairFolders folders, int threads, TextWriter output, CancellationToken cancelled)
{
    /// <exception cref="InvalidDataException">The folder has a corpus or a training of another recipe.</exception>
    /// <exception cref="OperationCanceledException">It was stopped; the next run goes on.</exception>
    public void Run()
    {
        Build();
        Train("target", recipe.Target, folders.Target, teacher: null);
        Train("draft", recipe.Draft, folders.Draft, folders.Target.Checkpoint);
        Directory.CreateDirectory(folders.Models);
        Export("target", folders.Target, folders.TargetModel);
        Export("draft", folders.Draft, folders.DraftModel);
        HeldOutText heldOut = HeldOutText.Read(Path.Combine(folders.Corpus, CorpusBuild.HeldOutTextName));
        WriteWhole(folders.Sample, heldOut.Sample(recipe.SampleCharacters));
        WriteWhole(folders.Prompts, JsonSerializer.Serialize(heldOut.Prompts(recipe.Prompts)));
        PairMeasurements measurements = new Measuring(recipe, folders, output, cancelled).Run();
        using (GgufFile target = GgufFile.Open(folders.Target.Checkpoint))
        using (GgufFile draft = GgufFile.Open(folders.Draft.Checkpoint))
            WriteWhole(folders.Card, ModelCard.Write(recipe, folders, measurements, Checkpoint.Config(target), Checkpoint.Config(draft)));
        output.WriteLine($"done: {folders.Models}");
    }

    private void Build()
    {
        string path = Path.Combine(folders.Corpus, CorpusBuild.CardName);
        CorpusBuild build = new(new BuildOptions(folders.Corpus, recipe.Seed, recipe.Documents, recipe.Tokens), line =>
        {
            cancelled.ThrowIfCancellationRequested();
            output.WriteLine(line);
        });
        if (!File.Exists(path))
        {
            // The card is written last: where it is, the corpus is whole.
            CorpusCard card = build.Run();
            output.WriteLine($"corpus: {card.Train.Documents:N0} documents, {card.Train.Tokens:N0} tokens; {card.HeldOut.Documents:N0} documents held out");
            return;
        }

        using JsonDocument found = JsonDocument.Parse(File.ReadAllBytes(path));
        string made = found.RootElement.GetProperty("recipe").GetString()!;
        if (made != build.Recipe) throw new InvalidDataException($"{path} is of '{made}'; expected '{build.Recipe}'. Choose another folder");
        output.WriteLine($"corpus: done, {path}");
    }

    private void Train(string name, TrainerConfig config, RunFolders run, string? teacher)
    {
        bool resume = File.Exists(run.Checkpoint);
        if (resume)
        {
            using GgufFile file = GgufFile.Open(run.Checkpoint);
            if (Checkpoint.Config(file) != config) throw new InvalidDataException($"{run.Checkpoint} is of another recipe of the {name}; choose another folder");
            if (Checkpoint.Progress(file).Step >= config.Training.Steps)
            {
                output.WriteLine($"{name}: done, {run.Checkpoint}");
                return;
            }
        }

        cancelled.ThrowIfCancellationRequested();
        if (!TrainCommand.Train(config, run, resume, teacher, minutes: null, threads, output, cancelled)) throw new OperationCanceledException(cancelled);
    }

    private void Export(string name, RunFolders run, string path)
    {
        output.Write($"{name}: ");
        ExportCommand.Export(run.Checkpoint, path, "Q8_0", name: null, output);
    }

    // Never half a file, whenever the process ends.
    private static void WriteWhole(string path, string text)
    {
        string temporary = path + ".part";
        File.WriteAllText(temporary, text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        File.Move(temporary, path, overwrite: true);
    }
}
