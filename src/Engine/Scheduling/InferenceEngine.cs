using System.Diagnostics;
using System.Diagnostics.Metrics;
using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>
/// Serves many requests with one model at once: a thread of its own that schedules, runs and reads a step, again and again. What is generated does not depend on what else
/// runs. Thread-safe.
/// </summary>
/// <example>
/// <code>
/// using QuernModel model = QuernModel.Load("model.gguf", new ModelOptions { CacheTokens = 32768 });
/// await using InferenceEngine engine = new(model);
/// await foreach (GeneratedText piece in engine.GenerateAsync("Once upon a time")) Console.Write(piece.Text);
/// </code>
/// </example>
public sealed class InferenceEngine : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _work = new(0);
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Scheduler _scheduler;
    private readonly Speculator? _speculator;
    private readonly OutputLogits _logits;
    private readonly SamplingWorkspace _workspace;
    private readonly List<EngineSequence> _arrived = [];
    private readonly EngineMeters _meters;
    private long _arrivals;
    private bool _disposed;

    /// <summary>Begins to serve.</summary>
    /// <param name="model">The model; dispose it after the engine. Its <see cref="ModelOptions.CacheTokens"/> are what all sequences together hold.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="ArgumentException">A number is not positive, or the draft's vocabulary is another one; the message shows the first differences.</exception>
    /// <exception cref="InvalidOperationException">The model has an encoder: it does not go on from a text.</exception>
    public InferenceEngine(QuernModel model, EngineOptions? options = null)
        : this(model, options, DrafterOf(options))
    {
    }

    /// <summary>The same with a drafter that is not in the options.</summary>
    internal InferenceEngine(QuernModel model, EngineOptions? options, IDrafter? drafter)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.CheckContinues("an engine");
        Options = options ?? new EngineOptions();
        Options.Validate();
        Model = model;
        Options.Speculation?.Validate(model);
        _speculator = drafter is null ? null : new Speculator(Options.Speculation ?? new SpeculationOptions(), drafter, Options.MaxSequences, model.TakesTrees && Options.Speculation?.Draft?.TakesTrees != false);
        _scheduler = new Scheduler(model, Options, _speculator);
        _logits = new OutputLogits(model, Options.MaxSequences + (_speculator?.Rows ?? 0));
        _workspace = new SamplingWorkspace(model.VocabularySize);
        _meters = new EngineMeters(this);
        new Thread(Serve) { IsBackground = true, Name = "Quern engine" }.Start();
    }

    /// <summary>The model.</summary>
    public QuernModel Model { get; }

    /// <summary>How requests share it.</summary>
    public EngineOptions Options { get; }

    internal Meter Meter => _meters.Meter;

    /// <summary>What goes on. The numbers are read while steps are made, and need not be of the same one.</summary>
    public EngineStatistics Statistics
    {
        get
        {
            int waiting;
            lock (_gate) waiting = _arrived.Count;
            return new EngineStatistics(
                _scheduler.RunningCount, waiting + _scheduler.WaitingCount, Model.Pages.Count, Model.Pages.Count - Model.Pages.FreeCount, Model.Pages.KnownCount,
                _meters.Steps, _meters.ComputedTokens, _scheduler.BegunTokens, _scheduler.CachedTokens, _meters.GeneratedTokens, _scheduler.Preemptions, _speculator?.Proposed ?? 0, _speculator?.Accepted ?? 0,
                _speculator?.Proposals ?? 0, _speculator?.SpeedUp ?? 0, Stopwatch.GetElapsedTime(0, _meters.ScheduleTicks), Stopwatch.GetElapsedTime(0, _meters.ComputeTicks), _meters.SelectedTokens);
        }
    }

    /// <summary>Generates text from text as it comes.</summary>
    /// <param name="prompt">The text to go on from; the tokens that the model wants at the beginning are added.</param>
    /// <param name="options">What to generate; null for the defaults.</param>
    /// <param name="cancellation">Ends the generation with <see cref="FinishReason.Cancelled"/>: what came before stays, and nothing is thrown.</param>
    /// <returns>An element for each token, and a last one that says why it ended and what it cost.</returns>
    /// <exception cref="EngineBusyException">As many wait as may.</exception>
    /// <exception cref="ContextFullException">The prompt is longer than the context or the whole cache.</exception>
    /// <exception cref="ArgumentException">An option has a value that is not allowed, or there is nothing to begin with.</exception>
    public IAsyncEnumerable<GeneratedText> GenerateAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellation = default) =>
        Submit(prompt, options, cancellation: cancellation).ReadAsync();

    /// <summary>Asks for texts that go on from a text; the tokens that the model wants at the beginning are added.</summary>
    /// <inheritdoc cref="Submit(ReadOnlySpan{int}, GenerationOptions?, int, int, CancellationToken)"/>
    public EngineRequest Submit(string prompt, GenerationOptions? options = null, int samples = 1, int priority = 0, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        options ??= new GenerationOptions();
        return Submit(Model.Encode(prompt, options, begins: true), options, samples, priority, continuesText: prompt.Length > 0, cancellation);
    }

    /// <summary>Asks for texts that go on from tokens.</summary>
    /// <param name="prompt">At least one id.</param>
    /// <param name="options">What to generate; null for the defaults.</param>
    /// <param name="samples">How many texts; they share the prompt's keys and values. Where the options have a seed, each next one takes the next seed.</param>
    /// <param name="priority">Lower numbers go first, whenever they come.</param>
    /// <param name="cancellation">Ends all texts with <see cref="FinishReason.Cancelled"/>.</param>
    /// <exception cref="EngineBusyException">As many wait as may.</exception>
    /// <exception cref="ContextFullException">The prompt is longer than the context or the whole cache.</exception>
    /// <exception cref="ArgumentException">An option has a value that is not allowed, a token is not in the vocabulary, or there is none.</exception>
    public EngineRequest Submit(ReadOnlySpan<int> prompt, GenerationOptions? options = null, int samples = 1, int priority = 0, CancellationToken cancellation = default) =>
        Submit(prompt, options ?? new GenerationOptions(), samples, priority, continuesText: true, cancellation);

    /// <summary>Ends every request with <see cref="FinishReason.Cancelled"/> and the engine's thread with the step that runs.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate) _disposed = true;
        _work.Release();
        await _end.Task.ConfigureAwait(false);
    }

    private EngineRequest Submit(ReadOnlySpan<int> prompt, GenerationOptions options, int samples, int priority, bool continuesText, CancellationToken cancellation)
    {
        options.Validate();
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        if (samples > Options.MaxSequences)
            throw new ArgumentOutOfRangeException(nameof(samples), samples, $"{samples} texts are asked for; expected at most {Options.MaxSequences}, EngineOptions.MaxSequences");
        Model.CheckTokens(prompt);
        if (prompt.Length > Model.ContextLength) throw ContextFullException.OfSession(Model.ContextLength, 0, prompt.Length);
        if (KvLayout.PagesFor(prompt.Length) > Model.Pages.Count) throw Model.CacheFull(prompt.Length);

        EngineSequence[] sequences = new EngineSequence[samples];
        long arrival = Interlocked.Add(ref _arrivals, samples) - samples;
        for (int i = 0; i < samples; i++)
        {
            ulong? seed = options.Sampling.Seed is { } first ? unchecked(first + (ulong)i) : null;
            sequences[i] = new EngineSequence(Model, prompt, options, new TokenChooser(Model, options, seed, _workspace), priority) { Arrival = arrival + i, Proposal = _speculator?.CreateProposal() };
        }

        EngineRequest request = new(sequences, Model.Tokenizer, options.Stop, continuesText, () => _work.Release());
        if (options.MaxTokens == 0)
        {
            foreach (EngineSequence sequence in sequences) sequence.End(FinishReason.Length);
            return request;
        }

        sequences[0].Siblings = sequences[1..];
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            int waiting = _arrived.Count + _scheduler.WaitingCount;
            if (waiting >= Options.QueueCapacity) throw new EngineBusyException(waiting, Options.QueueCapacity);
            foreach (EngineSequence sequence in sequences) sequence.Taken();
            _arrived.Add(sequences[0]);
        }

        _work.Release();
        request.CancelWith(cancellation);
        return request;
    }

    private void Serve()
    {
        try
        {
            while (true)
            {
                long start = Stopwatch.GetTimestamp();
                if (!Collect()) break;
                _scheduler.Sweep();
                _scheduler.Schedule();
                if (_scheduler.Step.Count == 0)
                {
                    // All that could be done is done, or what fails has failed; anything new wakes.
                    if (_scheduler.WaitingCount + _scheduler.RunningCount == 0) _work.Wait();
                    continue;
                }

                Run(start);
            }
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // The model was disposed first, or there is a mistake in here: what runs fails with it, and no more is taken.
            lock (_gate) _disposed = true;
            Collect();
            _scheduler.FailAll(error);
        }
        finally
        {
            _scheduler.EndAll(FinishReason.Cancelled);
            _logits.Dispose();
            _speculator?.Dispose();
            _meters.Dispose();
            _end.SetResult();
        }
    }

    private bool Collect()
    {
        lock (_gate)
        {
            foreach (EngineSequence sequence in _arrived) _scheduler.Add(sequence);
            _arrived.Clear();
            return !_disposed;
        }
    }

    private void Run(long start)
    {
        Batch batch = _scheduler.Batch;
        long scheduled = Stopwatch.GetTimestamp();
        int depth = 0;
        foreach (EngineSequence sequence in _scheduler.Step) depth = Math.Max(depth, sequence.Chooser.Depth);
        PassLogits logits;
        try
        {
            _logits.Forward(batch, depth);
            logits = _logits.Read();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            foreach (EngineSequence sequence in _scheduler.Step) sequence.Fail(error);
            return;
        }

        int row = 0, prompts = 0, again = 0;
        long generated = _meters.GeneratedTokens;
        long computed = Stopwatch.GetTimestamp();
        foreach (EngineSequence sequence in _scheduler.Step)
        {
            int proposed = sequence.Pending == sequence.Scheduled ? sequence.Proposal?.Count ?? 0 : 0;
            if (sequence.Scheduled > 1) prompts++;
            if (sequence.Recomputes) again++;
            if (proposed > 0)
            {
                ChooseProposed(sequence, logits, row);
                row += proposed + 1;
                continue;
            }

            sequence.Advance(Options.SharePrefixes);
            if (sequence.Pending == 0) Choose(sequence, logits, row++);
        }

        if (again > 0) _speculator?.Recomputed(computed - scheduled, (int)(_meters.GeneratedTokens - generated));
        else if (prompts > 0) _speculator?.Passed(computed - scheduled);
        else _speculator?.Learn(batch.TokenCount, computed - scheduled, (int)(_meters.GeneratedTokens - generated));
        _meters.Step(batch.TokenCount, scheduled - start, Stopwatch.GetTimestamp() - scheduled);
    }

    private static IDrafter? DrafterOf(EngineOptions? options) => options?.Speculation is not { } speculation ? null
        : speculation.Draft is { } draft ? new ModelDrafter(draft, options.MaxSequences, speculation.Branches)
        : speculation.RememberedTokens > 0 ? new SuffixDrafter(speculation.RememberedTokens)
        : new NgramDrafter();

    private void ChooseProposed(EngineSequence sequence, PassLogits logits, int firstRow)
    {
        int before = sequence.Tokens.Length;
        long selected = sequence.Chooser.SelectedTokens;
        try
        {
            TimeSpan time = sequence.ChooseProposed(logits, firstRow);
            sequence.Scheduled = 1 + sequence.Proposal!.Kept.Length;
            if (!sequence.Output.Ended) sequence.Advance(Options.SharePrefixes);
            int chosen = sequence.Tokens.Length - before;
            for (int i = 0; i < chosen; i++) _meters.Token(0, time / chosen);
            _meters.Selected(sequence.Chooser.SelectedTokens - selected);
            _speculator!.Learn(sequence, before);
            if (sequence.IsOverfull && !sequence.Output.Ended) Overfull(sequence);
        }
        catch (InvalidOperationException error)
        {
            sequence.Fail(error);
        }

        if (sequence.Output.Ended) _speculator!.Forget(sequence);
    }

    private void Overfull(EngineSequence sequence)
    {
        _speculator?.Forget(sequence);
        _scheduler.Overfull(sequence);
    }

    private void Choose(EngineSequence sequence, PassLogits logits, int row)
    {
        EngineSequence[] siblings = sequence.Siblings;
        sequence.Siblings = [];
        foreach (EngineSequence sibling in siblings)
        {
            sibling.Fork(sequence);
            _scheduler.Join(sibling);
        }

        ChooseAlone(sequence, logits, row);
        foreach (EngineSequence sibling in siblings) ChooseAlone(sibling, logits, row);
    }

    // A request whose logits or options cannot be sampled ends; the others go on.
    private void ChooseAlone(EngineSequence sequence, PassLogits logits, int row)
    {
        long selected = sequence.Chooser.SelectedTokens;
        try
        {
            (int promptTokens, TimeSpan time) = sequence.Choose(logits, row);
            _meters.Token(promptTokens, time);
            _meters.Selected(sequence.Chooser.SelectedTokens - selected);
            if (sequence.IsOverfull && !sequence.Output.Ended) Overfull(sequence);
            if (sequence.Output.Ended) _speculator?.Forget(sequence);
        }
        catch (InvalidOperationException error)
        {
            sequence.Fail(error);
        }
    }
}
