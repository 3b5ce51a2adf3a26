using System.Diagnostics;
using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.Models;
using Quern.Text;

namespace Quern.Engine;

/// <summary>From a file to a model that is ready to run.</summary>
public sealed partial class QuernModel
{
    /// <summary>Loads a model.</summary>
    /// <param name="path">A GGUF file, or the first of a split set.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Told while weights are bound.</param>
    /// <param name="cancellation">Looked at between tensors.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or no model that Quern can run; the message says where and why.</exception>
    /// <exception cref="NotSupportedException">The tokenizer or the architecture is not known, or the processor lacks what an option needs; the message names it and what is there.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or does not go with another; the message names it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static QuernModel Load(
        string path, ModelOptions? options = null, IProgress<LoadProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        options ??= new ModelOptions();
        options.Validate();
        long start = Stopwatch.GetTimestamp();
        GgufFile file = GgufFile.Open(path);
        ThreadTeam team;
        try
        {
            team = new ThreadTeam(options.Processors?.Count ?? options.Threads ?? MachineInfo.CoreCount, options.Processors);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        QuernModel model = Load(file, options, BackendOf(file, options, team, team), team, team.Threads, progress, cancellation);
        model.LoadTime = Stopwatch.GetElapsedTime(start);
        return model;
    }

    /// <summary>Loads another model that computes on this one's threads, such as a small one that proposes tokens for it: threads of two models would be in each other's way. Dispose it first.</summary>
    /// <inheritdoc cref="Load(string, ModelOptions?, IProgress{LoadProgress}?, CancellationToken)"/>
    public QuernModel LoadBeside(string path, ModelOptions? options = null, IProgress<LoadProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        options ??= new ModelOptions();
        options.Validate();
        ThreadTeam team = (ThreadTeam)(_threads ?? throw new InvalidOperationException("this model computes on no threads of its own"));
        long start = Stopwatch.GetTimestamp();
        GgufFile file = GgufFile.Open(path);
        QuernModel model = Load(file, options, BackendOf(file, options, team, null), null, team.Threads, progress, cancellation);
        model.LoadTime = Stopwatch.GetElapsedTime(start);
        return model;
    }

    /// <summary>The back end that the options ask for. Where the device cannot be opened, the error says why: nothing else is taken in its place.</summary>
    private static Backend BackendOf(GgufFile file, ModelOptions options, ThreadTeam team, ThreadTeam? owned)
    {
        ComputeMode mode = options.Exact ? ComputeMode.Exact : ComputeMode.Fast;
        CpuBackend processor;
        try
        {
            processor = new CpuBackend(team, mode, options.Repack, options.Int8Prompts);
        }
        catch
        {
            owned?.Dispose();
            file.Dispose();
            throw;
        }

        if (options.Device is null) return processor;
        try
        {
            return options.Device.CreateBackend(ModelNeeds.Of(file, options, mode), processor);
        }
        catch
        {
            processor.Dispose();
            owned?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <summary>Loads a model on a back end; owns the file, the back end and the threads from here on.</summary>
    internal static QuernModel Load(
        GgufFile file, ModelOptions options, Backend backend, IDisposable? team, int threads, IProgress<LoadProgress>? progress, CancellationToken cancellation)
    {
        try
        {
            // An unknown architecture has unknown keys: it is refused by the table, with the names of those that are known.
            bool known = ArchitectureTable.Find(file.Metadata.GetString("general.architecture")) is not null;
            int trained = known ? ModelConfig.Read(file).TrainedLength : 1;
            int contextLength = options.ContextLength ?? Math.Min(trained, ModelOptions.DefaultContextLength);
            Model model = ArchitectureTable.Load(file, backend, contextLength, new CancellingProgress(progress, cancellation));
            Vocabulary vocabulary = Vocabulary.Read(file.Metadata.Find, options.PreTokenizer);
            return new QuernModel(file, vocabulary, model, backend, team, options, contextLength) { Threads = threads };
        }
        catch
        {
            backend.Dispose();
            team?.Dispose();
            file.Dispose();
            throw;
        }
    }

    private sealed class CancellingProgress(IProgress<LoadProgress>? inner, CancellationToken cancellation) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value)
        {
            cancellation.ThrowIfCancellationRequested();
            inner?.Report(value);
        }
    }
}
