namespace Quern.Trainer.Runs;

/// <summary>How a model is trained.</summary>
internal sealed record TrainingPlan
{
    /// <summary>Sequences of a step.</summary>
    public int Sequences { get; init; } = 4;

    /// <summary>Sequences that are computed at once; more take more memory, and change nothing but rounding.</summary>
    public int SequencesPerPass { get; init; } = 2;

    /// <summary>Steps of the whole run.</summary>
    public int Steps { get; init; } = 5000;

    /// <summary>Steps at the beginning of which every second sequence shows <c>begin.tok</c> in place of <c>train.tok</c>: simple text that teaches early what the rest needs.</summary>
    public int BeginSteps { get; init; }

    /// <summary>Highest learning rate.</summary>
    public double LearningRate { get; init; } = 2e-3;

    /// <summary>Learning rate at the end.</summary>
    public double FinalLearningRate { get; init; } = 1e-4;

    /// <summary>Steps over which the learning rate rises from zero.</summary>
    public int WarmupSteps { get; init; } = 100;

    /// <summary>Decay of AdamW's mean.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of AdamW's mean square.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>ε of AdamW.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decay of matrices, times the learning rate.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Largest norm of a step's gradient; longer ones are shortened to it.</summary>
    public double ClipNorm { get; init; } = 1;

    /// <summary>Steps between two looks at the held-out text.</summary>
    public int EvaluateEvery { get; init; } = 250;

    /// <summary>Sequences of the held-out text that are looked at.</summary>
    public int EvaluationSequences { get; init; } = 32;

    /// <summary>Steps between two checkpoints.</summary>
    public int CheckpointEvery { get; init; } = 250;

    /// <summary>Where a sequence begins.</summary>
    public WindowStart Windows { get; init; } = WindowStart.Documents;

    /// <summary>Share of the teacher in the loss, where there is one.</summary>
    public double TeacherShare { get; init; } = 0.5;

    /// <summary>Temperature at which teacher and student are compared.</summary>
    public double TeacherTemperature { get; init; } = 1;

    /// <summary>Seed of first weights and data.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>The learning rate of a step, counted from 0: a line up, then half a cosine down. Source: Loshchilov and Hutter 2017, arXiv 1608.03983.</summary>
    public double LearningRateOf(int step)
    {
        if (step < WarmupSteps) return LearningRate * (step + 1) / WarmupSteps;
        double done = Math.Min(1, (step - WarmupSteps) / (double)Math.Max(1, Steps - 1 - WarmupSteps));
        return FinalLearningRate + ((LearningRate - FinalLearningRate) * (1 + Math.Cos(Math.PI * done)) / 2);
    }

    /// <exception cref="InvalidDataException">A number is out of range; the message names it.</exception>
    public void Validate()
    {
        Within(Sequences, 1, 1 << 20, "sequences");
        Within(SequencesPerPass, 1, Sequences, "sequencesPerPass");
        Within(Steps, 1, int.MaxValue, "steps");
        Within(BeginSteps, 0, int.MaxValue, "beginSteps");
        Within(WarmupSteps, 0, int.MaxValue, "warmupSteps");
        Within(EvaluateEvery, 1, int.MaxValue, "evaluateEvery");
        Within(EvaluationSequences, 1, int.MaxValue, "evaluationSequences");
        Within(CheckpointEvery, 1, int.MaxValue, "checkpointEvery");
        Within(LearningRate, 0, 1, "learningRate");
        Within(FinalLearningRate, 0, LearningRate, "finalLearningRate");
        Within(Beta1, 0, 0.999999, "beta1");
        Within(Beta2, 0, 0.999999, "beta2");
        Within(Epsilon, 1e-30, 1, "epsilon");
        Within(WeightDecay, 0, 10, "weightDecay");
        Within(ClipNorm, 1e-6, 1e9, "clipNorm");
        Within(TeacherShare, 0, 1, "teacherShare");
        Within(TeacherTemperature, 0.01, 100, "teacherTemperature");
        if (!Enum.IsDefined(Windows)) throw new InvalidDataException($"training.windows is {Windows}; expected documents or anywhere");
    }

    private static void Within(double value, double least, double most, string name)
    {
        if (!(value >= least && value <= most)) throw new InvalidDataException($"training.{name} is {value}; expected {least} to {most}");
    }
}

/// <summary>Where sequences may begin.</summary>
internal enum WindowStart
{
    /// <summary>Where a document begins; the documents behind it follow until the sequence is full.</summary>
    Documents,

    /// <summary>At any token.</summary>
    Anywhere,
}
