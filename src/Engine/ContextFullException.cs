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

    internal static ContextFullException OfText(int contextLength, int trained, int number, int count, int tokens) => new(
        $"{(count == 1 ? "the text" : $"text {number} of {count}")} has {tokens} tokens; the context holds {contextLength}{(contextLength < trained ? $": raise it with ModelOptions.ContextLength (quern: -c), to at most {trained}" : $", and the model was trained with {trained}: cut the text")}",
        contextLength, 0, tokens);

    internal static ContextFullException OfCache(int cacheTokens, int used, int wanted) => new(
        $"the cache of {cacheTokens} tokens is full: the model's sessions hold {used} and {wanted} more were given; raise it with ModelOptions.CacheTokens, or dispose sessions",
        cacheTokens, used, wanted);
}
