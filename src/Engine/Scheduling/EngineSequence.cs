using System.Diagnostics;
using Quern.Engine.Sampling;

namespace Quern.Engine;

/// <summary>
/// One text that the engine generates: its tokens, how many of them are computed, its pages, and the way to the one who reads it. The engine's thread writes; one reader at a time
/// reads what was written.
/// </summary>
internal sealed class EngineSequence
{
    private readonly int[] _tokens;
    private readonly GenerationOptions _options;
    private readonly TokenChooser _chooser;
    private readonly QuernModel _model;
    private readonly long _submitted = Stopwatch.GetTimestamp();
    private readonly int _promptLength;
    private readonly TokenLogProbability[] _likely;
    private readonly int _likelyOfToken;
    private TaskCompletionSource? _reader;
    private int _length;
    private int _stop = -1;
    private volatile bool _ended;
    private FinishReason _finish;
    private Exception? _error;
    private long _firstToken;
    private long _lastToken;
    private int _cached = -1;

    public EngineSequence(QuernModel model, ReadOnlySpan<int> prompt, GenerationOptions options, TokenChooser chooser, int priority)
    {
        (_model, _options, _chooser, _promptLength, Priority) = (model, options, chooser, prompt.Length, priority);
        // The last token may be chosen and not computed.
        long most = Math.Min((long)prompt.Length + (options.MaxTokens ?? int.MaxValue), model.ContextLength + 1L);
        _tokens = new int[most];
        prompt.CopyTo(_tokens);
        _length = prompt.Length;
        _likelyOfToken = options.LogProbabilities is { } count ? 1 + Math.Min(count, model.VocabularySize) : 0;
        _likely = new TokenLogProbability[_likelyOfToken * (most - prompt.Length)];
        Pages = new SequencePages(model.Pages, Math.Min((int)most, model.ContextLength));
        chooser.Accept(prompt);
    }

    /// <summary>Lower numbers go first.</summary>
    public int Priority { get; }

    /// <summary>When it was submitted, as a number that rises.</summary>
    public long Arrival { get; init; }

    /// <summary>Sequences that begin with the same prompt and are made of this one when it is computed.</summary>
    public EngineSequence[] Siblings { get; set; } = [];

    public SequencePages Pages { get; }

    /// <summary>Tokens, of the prompt and chosen ones.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, _length);

    /// <summary>Tokens in the cache.</summary>
    public int Computed { get; private set; }

    /// <summary>Tokens that are not.</summary>
    public int Pending => _length - Computed;

    /// <summary>Tokens of the pass that is being made.</summary>
    public int Scheduled { get; set; }

    /// <summary>Whether nothing more comes.</summary>
    public bool Ended => _ended;

    /// <summary>Whether somebody asked for the end; the engine looks before every step.</summary>
    public bool StopRequested => Volatile.Read(ref _stop) >= 0;

    /// <summary>Time until the first token; zero before it.</summary>
    public TimeSpan TimeToFirstToken => _firstToken == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_submitted, _firstToken);

    public GenerationStatistics Statistics(int read) => new(
        _promptLength, TimeToFirstToken, read, Math.Max(0, read - 1), _firstToken == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_firstToken, _lastToken), _chooser.Seed, Math.Max(0, _cached));

    /// <summary>Begins, or begins again after its pages were taken away.</summary>
    /// <param name="known">Tokens that its pages store already.</param>
    public void Begin(int known)
    {
        Computed = known;
        // What a sequence finds of itself after it lost its pages was not found in the cache of others.
        if (_cached < 0) _cached = known;
    }

    /// <summary>Gives its pages back; everything has to be computed again.</summary>
    public void LosePages()
    {
        Pages.TryResize(0);
        Computed = 0;
    }

    /// <summary>The pass is done.</summary>
    public void Advance(bool publish)
    {
        Computed += Scheduled;
        if (publish) Pages.Publish(_tokens.AsSpan(0, Computed));
    }

    /// <summary>Takes over what another sequence with the same tokens has computed.</summary>
    public void Fork(EngineSequence source)
    {
        Debug.Assert(source._length == _length, "only a prompt is forked");
        Pages.ShareFrom(source.Pages);
        (Computed, _cached) = (source.Computed, source.Computed);
    }

    /// <summary>Chooses the next token.</summary>
    /// <param name="logits">[vocabulary]; changed.</param>
    /// <returns>Tokens of the prompt, if it is the first, otherwise 0; and the time since the request or since the one before.</returns>
    public (int PromptTokens, TimeSpan Time) Choose(Span<float> logits)
    {
        int token = _chooser.Choose(logits, _likely.AsSpan((_length - _promptLength) * _likelyOfToken, _likelyOfToken));
        long before = _lastToken;
        _lastToken = Stopwatch.GetTimestamp();
        if (before == 0) _firstToken = _lastToken;
        if (!_options.IgnoreEos && _model.Vocabulary.IsEndOfGeneration(token)) End(FinishReason.Eos);
        else Append(token);
        return (before == 0 ? _promptLength : 0, Stopwatch.GetElapsedTime(before == 0 ? _submitted : before, _lastToken));
    }

    /// <summary>Asks for the end; from any thread.</summary>
    public void Stop(FinishReason reason) => Interlocked.CompareExchange(ref _stop, (int)reason, -1);

    /// <summary>Ends as <see cref="Stop"/> asked.</summary>
    public void EndAsRequested() => End((FinishReason)Volatile.Read(ref _stop));

    /// <summary>Gives its pages back and tells the reader why; those that wait for its prompt end with it.</summary>
    public void End(FinishReason reason)
    {
        if (_ended) return;
        Pages.TryResize(0);
        _finish = reason;
        _ended = true;
        Wake();
        foreach (EngineSequence sibling in Siblings) sibling.End(reason);
    }

    /// <summary>The same after an error.</summary>
    public void Fail(Exception error)
    {
        if (_ended) return;
        _error = error;
        foreach (EngineSequence sibling in Siblings) sibling.Fail(error);
        End(FinishReason.Cancelled);
    }

    /// <summary>Waits until there is a token behind the first <paramref name="read"/> chosen ones, or the end.</summary>
    /// <returns>The token, or <see cref="Generation.None"/>.</returns>
    /// <exception cref="Exception">Whatever the engine failed with.</exception>
    public async ValueTask<(int Token, FinishReason Finish)> ReadAsync(int read)
    {
        while (true)
        {
            // Its place first, then a look: what is written in between is seen here or wakes it.
            TaskCompletionSource here = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Volatile.Write(ref _reader, here);
            Interlocked.MemoryBarrier();
            bool ended = _ended;
            if (Volatile.Read(ref _length) > _promptLength + read) return (_tokens[_promptLength + read], default);
            if (ended) return _error is null ? (Generation.None, _finish) : throw new InvalidOperationException($"the engine failed: {_error.Message}", _error);
            await here.Task.ConfigureAwait(false);
        }
    }

    /// <summary>If they were asked for: a chosen token that was read, then the likeliest ones in its place.</summary>
    public TokenLogProbability[]? LogProbabilities(int index) => _likelyOfToken == 0 ? null : _likely[(index * _likelyOfToken)..((index + 1) * _likelyOfToken)];

    private void Append(int token)
    {
        _tokens[_length] = token;
        Volatile.Write(ref _length, _length + 1);
        if (_length - _promptLength == _options.MaxTokens) End(FinishReason.Length);
        else if (_length > _model.ContextLength) End(FinishReason.Context);
        else Wake();
    }

    private void Wake() => Interlocked.Exchange(ref _reader, null)?.TrySetResult();
}
