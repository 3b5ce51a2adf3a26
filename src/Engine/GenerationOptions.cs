using Quern.Engine.Sampling;

namespace Quern.Engine;

/// <summary>What to generate.</summary>
public sealed record GenerationOptions
{
    private const int MostLogProbabilities = 100;

    /// <summary>The most tokens to generate; null for as many as fit in the context.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Default;

    /// <summary>Texts that end the generation; they are not part of what it yields.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>
    /// How many of the likeliest tokens are told beside every chosen one, with the logarithms of their probabilities before any sampler; 0 tells only the chosen one's, null nothing.
    /// </summary>
    public int? LogProbabilities { get; init; }

    /// <summary>
    /// Where the context is full, goes on without the older half of the tokens, but with so many at the beginning; the rest is computed again. Null ends the text with <see cref="FinishReason.Context"/>.
    /// </summary>
    public int? ShiftKeep { get; init; }

    /// <summary>Never choose a token that ends the text.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Read the names of special tokens in a prompt (<c>&lt;|im_end|&gt;</c>) as those tokens. For prompts from a template, never for a user's text.</summary>
    public bool ParseSpecial { get; init; }

    /// <exception cref="ArgumentException">A value is not allowed.</exception>
    internal void Validate()
    {
        if (MaxTokens is < 0) throw new ArgumentOutOfRangeException(nameof(MaxTokens), MaxTokens, $"MaxTokens is {MaxTokens}; expected at least 0");
        if (LogProbabilities is < 0 or > MostLogProbabilities)
            throw new ArgumentOutOfRangeException(nameof(LogProbabilities), LogProbabilities, $"LogProbabilities is {LogProbabilities}; expected 0 to {MostLogProbabilities}");
        if (ShiftKeep is < 0) throw new ArgumentOutOfRangeException(nameof(ShiftKeep), ShiftKeep, $"ShiftKeep is {ShiftKeep}; expected at least 0");
        if (Stop.Any(string.IsNullOrEmpty)) throw new ArgumentException("a stop text is empty; expected at least one character", nameof(Stop));
    }
}

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary><see cref="GenerationOptions.MaxTokens"/> were generated.</summary>
    Length,

    /// <summary>One of <see cref="GenerationOptions.Stop"/> appeared.</summary>
    Stop,

    /// <summary>The model ended its text.</summary>
    Eos,

    /// <summary>The context is full.</summary>
    Context,

    /// <summary>The caller cancelled.</summary>
    Cancelled,
}
