namespace Quern.Engine.Evaluation;

/// <summary>How a text is cut into chunks, and which of their tokens are scored. The defaults are those of llama.cpp's perplexity tool.</summary>
public sealed record PerplexityOptions
{
    /// <summary>Tokens of a chunk where nobody says otherwise and the model's context has room for them.</summary>
    public const int DefaultContextLength = 512;

    /// <summary>Tokens of a chunk; null for <see cref="DefaultContextLength"/>, or the model's context if that is shorter.</summary>
    public int? ContextLength { get; init; }

    /// <summary>
    /// Tokens from the beginning of a chunk to that of the next; null for chunks side by side. Overlapping chunks give every scored token a long
    /// past, at the price of evaluating each token several times.
    /// </summary>
    public int? Stride { get; init; }

    /// <summary>
    /// Tokens scored at the end of each chunk; null for the second half (without its first token, as in llama.cpp), or with <see cref="Stride"/> for
    /// as many as are new. At most one less than the chunk has: nothing predicts its first token.
    /// </summary>
    public int? ScoredTokens { get; init; }

    /// <summary>
    /// Chunks are the documents of the text: one begins at each token for the beginning of a text. Each is evaluated by itself, and all its tokens but
    /// that one are scored. For models that were trained so, whose predictions suffer from other documents in their context.
    /// </summary>
    public bool Documents { get; init; }

    /// <summary>The most chunks to measure, from the beginning of the text; null for all.</summary>
    public int? MostChunks { get; init; }
}
