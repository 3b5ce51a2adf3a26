using Quern.Engine.Sampling;

namespace Quern.Engine;

/// <summary>
/// The tokens of a text on their way from the engine's thread, which writes, to the one who reads: one at a time. Writing allocates only where more tokens come than were foreseen.
/// </summary>
/// <param name="capacity">Tokens that are foreseen.</param>
/// <param name="likelyOfToken">Log probabilities that come with each token; 0 for none.</param>
internal sealed class TokenOutput(int capacity, int likelyOfToken)
{
    private TaskCompletionSource? _reader;
    private int[] _tokens = new int[capacity];
    private TokenLogProbability[] _likely = new TokenLogProbability[(long)capacity * likelyOfToken];
    private int _count;
    private volatile bool _ended;
    private FinishReason _finish;
    private Exception? _error;

    /// <summary>Tokens written.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Whether nothing more comes.</summary>
    public bool Ended => _ended;

    /// <summary>Where the log probabilities of the next token belong.</summary>
    public Span<TokenLogProbability> NextLikely()
    {
        if (_count == _tokens.Length)
        {
            // A reader may hold the old arrays: what it reads there stays right.
            int grown = Math.Max(64, 2 * _count);
            Volatile.Write(ref _likely, Grown(_likely, grown * likelyOfToken));
            Volatile.Write(ref _tokens, Grown(_tokens, grown));
        }

        return _likely.AsSpan(_count * likelyOfToken, likelyOfToken);
    }

    /// <summary>Hands out a token, after <see cref="NextLikely"/>.</summary>
    public void Write(int token)
    {
        _tokens[_count] = token;
        Volatile.Write(ref _count, _count + 1);
        Wake();
    }

    /// <summary>Says that nothing more comes.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="error">What the engine failed with, or null.</param>
    public void End(FinishReason reason, Exception? error)
    {
        (_finish, _error) = (reason, error);
        _ended = true;
        Wake();
    }

    /// <summary>Waits for a token, or the end.</summary>
    /// <param name="index">Which token.</param>
    /// <returns>The token, or <see cref="Generation.None"/> and why there is none.</returns>
    /// <exception cref="InvalidOperationException">The engine failed; the inner exception says with what.</exception>
    public async ValueTask<(int Token, FinishReason Finish)> ReadAsync(int index)
    {
        while (true)
        {
            // Its place first, then a look: what is written in between is seen here or wakes it.
            TaskCompletionSource here = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Volatile.Write(ref _reader, here);
            Interlocked.MemoryBarrier();
            bool ended = _ended;
            if (Count > index) return (Volatile.Read(ref _tokens)[index], default);
            if (ended) return _error is null ? (Generation.None, _finish) : throw new InvalidOperationException($"the engine failed: {_error.Message}", _error);
            await here.Task.ConfigureAwait(false);
        }
    }

    /// <summary>The log probabilities of a token that was read; null without.</summary>
    public TokenLogProbability[]? Likely(int index) =>
        likelyOfToken == 0 ? null : Volatile.Read(ref _likely).AsSpan(index * likelyOfToken, likelyOfToken).ToArray();

    private static T[] Grown<T>(T[] array, int length)
    {
        T[] grown = new T[length];
        array.CopyTo(grown, 0);
        return grown;
    }

    private void Wake() => Interlocked.Exchange(ref _reader, null)?.TrySetResult();
}
