using Quern.Trainer.Runs;

namespace Quern.ModelPair;

/// <summary>Everything that a pair follows from.</summary>
internal sealed record PairRecipe
{
    /// <summary>What to add to the command for this recipe.</summary>
    public string Option { get; init; } = "";

    /// <summary>Training documents; null where <see cref="Tokens"/> decides.</summary>
    public int? Documents { get; init; }

    /// <summary>Training tokens.</summary>
    public long? Tokens { get; init; } = 60_000_000;

    /// <summary>The seed of the corpus; those of the trainings are in their plans.</summary>
    public uint Seed { get; init; } = 1;

    public TrainerConfig Target { get; init; } = TrainerConfig.Presets["target"];

    public TrainerConfig Draft { get; init; } = TrainerConfig.Presets["draft"];

    /// <summary>The most characters of the sample of the held-out text.</summary>
    public int SampleCharacters { get; init; } = 150_000;

    /// <summary>The most held-out documents that are measured; null for all.</summary>
    public int? MeasuredDocuments { get; init; }

    /// <summary>Prompts for acceptance.</summary>
    public int Prompts { get; init; } = 200;

    /// <summary>Tokens that the target generates for each of them.</summary>
    public int PromptPredictions { get; init; } = 128;

    /// <summary>The pair that ships.</summary>
    public static PairRecipe Full { get; } = new();

    /// <summary>The same path in seconds.</summary>
    public static PairRecipe Miniature { get; } = new()
    {
        Option = " --miniature",
        Documents = 1000,
        Tokens = null,
        Target = Small(TrainerConfig.Presets["target"], width: 64, layers: 2, steps: 6),
        Draft = Small(TrainerConfig.Presets["draft"], width: 32, layers: 1, steps: 4),
        SampleCharacters = 5_000,
        MeasuredDocuments = 6,
        Prompts = 3,
        PromptPredictions = 16,
    };

    private static TrainerConfig Small(TrainerConfig config, int width, int layers, int steps) => config with
    {
        Name = config.Name + " miniature",
        Model = config.Model with { Width = width, Layers = layers, Heads = 2, KvHeads = 1, Hidden = 2 * width, Context = 640 },
        Training = config.Training with { Sequences = 2, SequencesPerPass = 2, Steps = steps, BeginSteps = Math.Min(2, config.Training.BeginSteps), WarmupSteps = 1, EvaluateEvery = 2, EvaluationSequences = 2, CheckpointEvery = 2 },
    };
}
