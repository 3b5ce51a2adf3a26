using System.Diagnostics;
using Quern.Engine.Sampling;
using Quern.Models;

namespace Quern.Engine;

/// <summary>
/// Tokens chosen one after the other on a session. <see cref="Step"/> allocates no managed memory after the first one; text is made elsewhere.
/// </summary>
public sealed class Generation
{
    private readonly Session _session;
    private readonly GenerationOptions _options;
    private readonly TokenChooser _chooser;
    private readonly CancellationToken _cancellation;
    private readonly int[] _step = new int[1];
    private readonly TokenLogProbability[] _likely;
    private readonly int? _keep;
    private readonly int[] _read = [];
    private int[]? _prompt;
    private int _promptTokens;
    private int _generated;
    private int _decodeSteps;
    private long _promptTicks;
    private long _decodeTicks;

    internal Generation(Session session, int[] prompt, GenerationOptions options, CancellationToken cancellation)
    {
        options.Validate();
        _session = session;
        _options = options;
        _cancellation = cancellation;
        _prompt = session.Pending < 0 ? prompt : [session.Pending, .. prompt];
        _keep = options.ShiftKeep;
        QuernModel model = session.Model;
        if (model.Task == ModelTask.EncoderDecoder)
        {
            // A prompt at the beginning is read; what is written begins with a token of its own.
            int start = model.Config.DecoderStart!.Value;
            if (session.Length == 0 && _prompt.Length > 0) (_read, _prompt) = (_prompt, [start]);
            else if (session.Length > 0 && session.Length == session.PrefixLength) _prompt = [start, .. _prompt];
            if (_keep is { } keep) _keep = Math.Max(keep, session.PrefixLength + _read.Length + 1);
        }

        if (_prompt.Length == 0) throw new ArgumentException("there are no tokens to begin with; expected a prompt of at least one", nameof(prompt));
        if (_read.Length + _prompt.Length > session.Remaining) throw ContextFullException.OfSession(model.ContextLength, session.Length, _read.Length + _prompt.Length);
        _chooser = new TokenChooser(model, options, options.Sampling.Seed);
        _likely = options.LogProbabilities is { } count ? new TokenLogProbability[1 + Math.Min(count, model.VocabularySize)] : [];
        _chooser.Accept(_prompt);
        if (options.MaxTokens == 0) Finish = FinishReason.Length;
    }

    /// <summary>What <see cref="Step"/> returns when there is no token any more.</summary>
    public const int None = -1;

    /// <summary>Why the generation ended; null while it goes on.</summary>
    public FinishReason? Finish { get; private set; }

    /// <summary>If they were asked for: the last token, then the likeliest ones in its place; valid until the next step.</summary>
    public ReadOnlySpan<TokenLogProbability> LogProbabilities => _likely;

    /// <summary>What it cost so far.</summary>
    public GenerationStatistics Statistics => new(
        _promptTokens, Stopwatch.GetElapsedTime(0, _promptTicks), _generated, _decodeSteps, Stopwatch.GetElapsedTime(0, _decodeTicks), _chooser.Seed, SelectedTokens: _chooser.SelectedTokens);

    /// <summary>Evaluates the prompt or the last token, and chooses the next one.</summary>
    /// <returns>The token, or <see cref="None"/> after the end.</returns>
    /// <exception cref="ContextFullException">Other sessions hold the rest of the cache.</exception>
    public int Step()
    {
        if (Finish is not null) return None;
        if (_cancellation.IsCancellationRequested) return End(FinishReason.Cancelled);
        if (_prompt is null && _session.Remaining == 0 && ContextShift.Dropped(_session.Length + 1, _keep) == 0) return End(FinishReason.Context);
        long start = Stopwatch.GetTimestamp();
        if (!TryEvaluate()) return End(FinishReason.Cancelled);
        int token = _chooser.Choose(_session.LastLogits, 0, _likely);
        long ticks = Stopwatch.GetTimestamp() - start;
        if (_prompt is not null)
        {
            (_promptTokens, _promptTicks) = (_read.Length + _prompt.Length, ticks);
            _prompt = null;
        }
        else
        {
            _decodeSteps++;
            _decodeTicks += ticks;
        }

        if (!_options.IgnoreEos && _session.Model.Vocabulary.IsEndOfGeneration(token)) return End(FinishReason.Eos);
        _session.Pending = _step[0] = token;
        _generated++;
        if (_generated == _options.MaxTokens) Finish = FinishReason.Length;
        return token;
    }

    /// <summary>Ends the generation, as when its text contains a stop text.</summary>
    public void Stop()
    {
        if (Finish is null or FinishReason.Length) Finish = FinishReason.Stop;
    }

    private int End(FinishReason reason)
    {
        Finish = reason;
        return None;
    }

    private bool TryEvaluate()
    {
        if (_prompt is null && _session.Remaining > 0)
        {
            _session.Append(_step, _chooser.Depth, CancellationToken.None);
            return true;
        }

        try
        {
            if (_prompt is null)
            {
                _session.Shift(_keep!.Value, _step[0], _chooser.Depth, _cancellation);
                return true;
            }

            if (_read.Length > 0) _session.Read(_read);
            _session.Append(_prompt, _chooser.Depth, _cancellation);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
