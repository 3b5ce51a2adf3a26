namespace Quern.Engine;

/// <summary>How an <see cref="InferenceEngine"/> shares a model between requests.</summary>
public sealed record EngineOptions
{
    /// <summary>The most sequences that are computed together; others wait.</summary>
    public int MaxSequences { get; init; } = 16;

    /// <summary>The most sequences that wait; one more is refused with <see cref="EngineBusyException"/>.</summary>
    public int QueueCapacity { get; init; } = 1024;

    /// <summary>
    /// The most tokens of prompts in a step in which other sequences get their next token: fewer make those wait less, more make prompts faster. A step without such sequences takes
    /// <see cref="ModelOptions.BatchTokens"/>.
    /// </summary>
    public int PromptTokensBesideOthers { get; init; } = 128;

    /// <summary>Whether a sequence that begins with the tokens of an earlier one takes over its keys and values, as long as they are in the cache.</summary>
    public bool SharePrefixes { get; init; } = true;

    /// <summary>Whether and how tokens are proposed and checked several at a time; null does not.</summary>
    public SpeculationOptions? Speculation { get; init; }

    /// <exception cref="ArgumentOutOfRangeException">A number is not positive.</exception>
    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxSequences, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(QueueCapacity, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(PromptTokensBesideOthers, 1);
    }
}
