using System.Diagnostics;
using Quern.Gguf;
using Quern.Trainer.Data;
using Quern.Trainer.Files;
using Quern.Trainer.Model;
using Quern.Trainer.Operations;
using Quern.Trainer.Optimisation;
using Quern.Trainer.Products;

namespace Quern.Trainer.Runs;

/// <summary>Where a run reads and writes.</summary>
/// <param name="Data">Folder with <c>train.tok</c>, <c>heldout.tok</c>, where the plan asks for it <c>begin.tok</c>, and <c>vocabulary.gguf</c>.</param>
/// <param name="Output">Folder for <c>checkpoint.gguf</c>, <c>log.csv</c> and <c>loss.svg</c>.</param>
internal sealed record RunFolders(string Data, string Output)
{
    public string Checkpoint => Path.Combine(Output, "checkpoint.gguf");

    public string Log => Path.Combine(Output, "log.csv");

    public string Picture => Path.Combine(Output, "loss.svg");
}

/// <summary>A run of training, from its first step or from a checkpoint.</summary>
internal sealed unsafe class TrainingRun : IDisposable
{
    private readonly TrainerConfig _config;
    private readonly RunFolders _folders;
    private readonly TokenizerKeys _tokenizer;
    private readonly TokenFile _train, _heldOut;
    private readonly TokenFile? _begin;
    private readonly AdamW _adam;
    private readonly TokenBatch[] _passes;
    private readonly TokenBatch _evaluation;
    private readonly Activations<float> _activations;
    private readonly Network<float>? _teacher;
    private readonly Activations<float>? _teacherActivations;

    /// <param name="config">The model and the recipe.</param>
    /// <param name="folders">Where to read and write.</param>
    /// <param name="crew">The threads.</param>
    /// <param name="teacher">A model to be taught by, owned by the run from here on; or null.</param>
    /// <exception cref="InvalidDataException">The data or the teacher do not fit the model.</exception>
    public TrainingRun(TrainerConfig config, RunFolders folders, Crew crew, Network<float>? teacher = null)
    {
        config.Model.Validate();
        config.Training.Validate();
        (_config, _folders, _teacher) = (config, folders, teacher);
        LlamaShape shape = config.Model;
        string vocabulary = Path.Combine(folders.Data, "vocabulary.gguf");
        if (!File.Exists(vocabulary)) throw new InvalidDataException($"{vocabulary}: there is no such file; expected a GGUF with the tokenizer's keys, as quern-corpus writes it");
        using (GgufFile file = GgufFile.Open(vocabulary)) _tokenizer = TokenizerKeys.Read(file, shape.Vocabulary);
        _train = TokenFile.Read(Path.Combine(folders.Data, "train.tok"), shape.Vocabulary, _tokenizer.Bos, shape.Context);
        _heldOut = TokenFile.Read(Path.Combine(folders.Data, "heldout.tok"), shape.Vocabulary, _tokenizer.Bos, shape.Context);
        if (config.Training.BeginSteps > 0) _begin = TokenFile.Read(Path.Combine(folders.Data, "begin.tok"), shape.Vocabulary, _tokenizer.Bos, shape.Context);
        if (teacher is not null && (teacher.Shape.Vocabulary != shape.Vocabulary || teacher.Shape.Context < shape.Context))
            throw new InvalidDataException(
                $"the teacher has {teacher.Shape.Vocabulary} tokens and a context of {teacher.Shape.Context}; expected {shape.Vocabulary} tokens and at least {shape.Context}");

        Network = new Network<float>(shape, crew);
        _adam = new AdamW(Network, config.Training, crew);
        TrainingPlan plan = config.Training;
        _passes = [.. Enumerable.Range(0, (plan.Sequences + plan.SequencesPerPass - 1) / plan.SequencesPerPass)
            .Select(i => new TokenBatch(Math.Min(plan.SequencesPerPass, plan.Sequences - (i * plan.SequencesPerPass)), shape.Context))];
        _evaluation = new TokenBatch(1, shape.Context);
        _activations = new Activations<float>(shape, plan.SequencesPerPass * shape.Context, forBackward: true);
        _teacherActivations = teacher is null ? null : new Activations<float>(teacher.Shape, plan.SequencesPerPass * shape.Context, forBackward: false);
        Network.Initialise(plan.Seed);
    }

    /// <summary>The model.</summary>
    public Network<float> Network { get; }

    /// <summary>How far the run is.</summary>
    public Progress Progress { get; private set; }

    /// <summary>Takes up the checkpoint of the output folder.</summary>
    public void Resume()
    {
        using GgufFile file = GgufFile.Open(_folders.Checkpoint);
        TrainerConfig saved = Checkpoint.Config(file);
        if (saved.Model != _config.Model) throw new InvalidDataException($"{_folders.Checkpoint} is of another model than the configuration: {saved.Model}");
        Checkpoint.ReadWeights(file, Network);
        Checkpoint.ReadMoments(file, Network, _adam);
        Progress = Checkpoint.Progress(file);
    }

    /// <summary>Trains until the plan's last step, or until it is told to stop; the state is saved either way.</summary>
    /// <param name="report">Told after every step.</param>
    /// <param name="stop">Looked at after every step.</param>
    /// <returns>Whether the plan is done.</returns>
    public bool Train(Action<StepRecord> report, Func<bool> stop)
    {
        Directory.CreateDirectory(_folders.Output);
        TrainingPlan plan = _config.Training;
        using RunLog log = new(_folders.Log, Progress.Step);
        while (Progress.Step < plan.Steps)
        {
            long start = Stopwatch.GetTimestamp();
            double rate = plan.LearningRateOf(Progress.Step);
            (double loss, double norm) = Step(Progress.Step);
            if (!double.IsFinite(loss) || !double.IsFinite(norm))
                throw new InvalidOperationException($"step {Progress.Step + 1}: the loss is {loss} and the gradient's norm {norm}; try a lower learningRate. The last checkpoint is whole");
            int tokens = plan.Sequences * _config.Model.Context;
            double speed = tokens / Stopwatch.GetElapsedTime(start).TotalSeconds;
            Progress = new Progress(Progress.Step + 1, Progress.Tokens + tokens);
            bool end = Progress.Step == plan.Steps || stop();
            double? heldOut = end || Progress.Step % plan.EvaluateEvery == 0 ? HeldOutLoss() : null;
            StepRecord record = new(Progress.Step, Progress.Tokens, loss, heldOut, rate, norm, speed);
            log.Add(record);
            if (end || Progress.Step % plan.CheckpointEvery == 0)
            {
                Checkpoint.Save(_folders.Checkpoint, _config, Progress, Network, _adam, _tokenizer);
                File.WriteAllText(_folders.Picture, LossPicture.Draw($"{_config.Name}, {Network.Layout.Count / 1e6:f2} M parameters", log.Records));
            }

            report(record);
            if (end) break;
        }

        return Progress.Step >= plan.Steps;
    }

    /// <summary>The mean loss of the held-out text, in nats for a token.</summary>
    public double HeldOutLoss()
    {
        double loss = 0, weight = 0;
        int total = Math.Min(_config.Training.EvaluationSequences, _heldOut.DocumentsBefore(_evaluation.Length));
        for (int i = 0; i < total; i++)
        {
            Windows.FillEvaluation(_heldOut, i, total, _evaluation);
            Network.Forward(_evaluation, _activations);
            loss += Network.Loss(_evaluation, _activations);
            weight += _evaluation.TotalWeight;
        }

        return loss / weight;
    }

    public void Dispose()
    {
        _adam.Dispose();
        Network.Dispose();
        _activations.Dispose();
        _teacher?.Dispose();
        _teacherActivations?.Dispose();
    }

    private (double Loss, double Norm) Step(int step)
    {
        TrainingPlan plan = _config.Training;
        double weight = 0, loss = 0;
        for (int i = 0; i < _passes.Length; i++)
        {
            Windows.FillStep(_train, _begin, plan, step, i * plan.SequencesPerPass, _passes[i]);
            weight += _passes[i].TotalWeight;
        }

        // A step whose text is all masked has nothing to teach, and a gradient of zero.
        double factor = weight == 0 ? 0 : 1 / weight;
        Network.Gradients.Clear();
        foreach (TokenBatch pass in _passes)
        {
            Network.Forward(pass, _activations);
            if (_teacher is not null) _teacher.Forward(pass, _teacherActivations!);
            float* taught = _teacherActivations is null ? null : _teacherActivations.Logits.First;
            loss += Network.LossGradient(pass, _activations, new CrossEntropy(plan.TeacherShare, plan.TeacherTemperature), taught, factor);
            Network.Backward(pass, _activations);
        }

        double norm = _adam.GradientNorm();
        _adam.Step(step, norm > plan.ClipNorm ? plan.ClipNorm / norm : 1);
        return (loss * factor, norm);
    }
}
