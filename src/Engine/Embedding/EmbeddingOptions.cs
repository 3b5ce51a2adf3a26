using Quern.Models;

namespace Quern.Engine;

/// <summary>How vectors are made of texts.</summary>
public sealed record EmbeddingOptions
{
    /// <summary>How the vectors of a text's tokens become one; null for what the model's file says.</summary>
    public Pooling? Pooling { get; init; }

    /// <summary>Whether vectors get the length 1, so that the product of two is the cosine of their angle. Scores of <see cref="Models.Pooling.Rank"/> stay what they are.</summary>
    public bool Normalize { get; init; } = true;

    /// <summary>Whether names of special tokens in a text are those tokens; otherwise they are text.</summary>
    public bool ParseSpecial { get; init; }
}
