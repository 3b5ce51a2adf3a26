namespace Quern.Engine;

/// <summary>There is no room for more tokens: in a session's context, or in the cache that the sessions of a model share.</summary>
public sealed class ContextFullException : InvalidOperationException
{
    private ContextFullException(string message, int capacity, int used, int wanted)
        : base(message) => (Capacity, Used, Wanted) = (capacity, used, wanted);

    /// <summary>Tokens that fit.</summary>
    public int Capacity { get; }

    /// <summary>Tokens that are held.</summary>
    public int Used { get; }

    /// <summary>Tokens that were to be added.</summary>
    public int Wanted { get; }

    internal static ContextFullException OfSession(int contextLength, int used, int wanted) => new(
        $"the context of {contextLength} tokens is full: {used} are in it and {wanted} more were given; raise it with ModelOptions.ContextLength (quern: -c)",
        contextLength, used, wanted);

    internal static ContextFullException OfCache(int cacheTokens, int used, int wanted) => new(
        $"the cache of {cacheTokens} tokens is full: the model's sessions hold {used} and {wanted} more were given; raise it with ModelOptions.CacheTokens, or dispose sessions",
        cacheTokens, used, wanted);
}
