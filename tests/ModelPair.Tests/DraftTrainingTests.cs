using Quern.Corpus.Building;
using Quern.TestKit;
using Quern.Trainer.Products;
using Quern.Trainer.Runs;

namespace Quern.ModelPair.Tests;

/// <summary>The draft's own preset, for about two minutes of two cores.</summary>
public sealed class DraftTrainingTests : IDisposable
{
    private const int Steps = 600;

    // Held out, in nats a token, after each quarter of the steps. A token that knows nothing costs ln 2048 = 7.62.
    private static readonly double[] Recorded = [2.794, 1.644, 1.131, 0.978];

    private readonly string _folder = Directory.CreateTempSubdirectory("quern-draft-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Avx512Fact]
    public void The_loss_falls_as_recorded()
    {
        new CorpusBuild(new BuildOptions(_folder, 1, Documents: 10_000, Tokens: null), _ => { }).Run();
        TrainerConfig preset = TrainerConfig.Presets["draft"];
        TrainerConfig config = preset with { Training = preset.Training with { Steps = Steps, EvaluateEvery = Steps / 4, CheckpointEvery = Steps } };
        List<StepRecord> records = [];
        using (Crew crew = new(Environment.ProcessorCount))
        using (TrainingRun run = new(config, new RunFolders(_folder, Path.Combine(_folder, "run")), crew))
            Assert.True(run.Train(records.Add, () => false));
        Assert.Equal(Steps, records.Count);
        double[] heldOut = [.. records.Where(record => record.HeldOut is not null).Select(record => record.HeldOut!.Value)];
        Assert.Equal(7.83, records[0].Loss, 0.03);
        Assert.Equal(Recorded.Length, heldOut.Length);
        Assert.All(Recorded.Zip(heldOut), pair => Assert.Equal(pair.First, pair.Second, 0.03));
        Assert.Equal(heldOut[^1], records[^10..].Average(record => record.Loss), 0.15);
    }
}
