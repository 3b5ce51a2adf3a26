using System.Diagnostics;

namespace Quern.Engine.Evaluation;

/// <summary>
/// How well a model predicts a text: the perplexity of tokens in chunks of one length, each evaluated in a context of its own that begins with the
/// token for the beginning of a text where the model wants one. By default the second half of each chunk is scored, so that every scored token has
/// a past. A chunk that the text does not fill is left out.
/// </summary>
/// <remarks>
/// Source: llama.cpp, tools/perplexity (2026), whose numbers these are for the same tokens. Two differences: one chunk is enough here, where two are
/// asked for there; and chunks with a stride begin with the first token of a text here too.
/// </remarks>
/// <example>
/// <code>
/// Perplexity perplexity = new(model, Perplexity.Tokenize(model, text));
/// LikelihoodEstimate estimate = perplexity.Run().Last().Total;
/// Console.WriteLine($"{estimate.Perplexity:F4} ± {estimate.PerplexityStandardError:F4}");
/// </code>
/// </example>
public sealed class Perplexity
{
    private readonly QuernModel _model;
    private readonly int[] _tokens;

    /// <summary>Cuts tokens into chunks; nothing is evaluated yet.</summary>
    /// <param name="model">The model; its context holds at least a chunk.</param>
    /// <param name="tokens">[tokens] The text, as <see cref="Tokenize"/> makes it.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is not in its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">The text is shorter than a chunk, or an id is not of the vocabulary.</exception>
    public Perplexity(QuernModel model, ReadOnlySpan<int> tokens, PerplexityOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new PerplexityOptions();
        _model = model;
        ContextLength = InRange(
            options.ContextLength, Math.Min(PerplexityOptions.DefaultContextLength, model.ContextLength), 2, model.ContextLength,
            nameof(options.ContextLength), "the model's context");
        Stride = InRange(options.Stride, ContextLength, 1, ContextLength, nameof(options.Stride), "the length of a chunk");
        int mostScored = Math.Min(Stride, ContextLength - 1);
        int standard = options.Stride is null ? Math.Max(1, ContextLength - (ContextLength / 2) - 1) : mostScored;
        ScoredTokens = InRange(options.ScoredTokens, standard, 1, mostScored, nameof(options.ScoredTokens), "the tokens of a chunk that are new and have one before them");
        if (options.MostChunks is < 1)
            throw new ArgumentOutOfRangeException(nameof(options), options.MostChunks, $"MostChunks is {options.MostChunks}; expected at least 1");
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)model.Vocabulary.Count)
                throw new ArgumentException($"there is no token {token}; expected an id below {model.Vocabulary.Count}", nameof(tokens));
        }

        if (tokens.Length < ContextLength)
        {
            throw new ArgumentException(
                $"the text has {tokens.Length} tokens and a chunk needs {ContextLength}; take a longer text, or shorter chunks with PerplexityOptions.ContextLength (quern: --context)",
                nameof(tokens));
        }

        _tokens = tokens.ToArray();
        ChunkCount = Math.Min(((tokens.Length - ContextLength) / Stride) + 1, options.MostChunks ?? int.MaxValue);
    }

    /// <summary>Tokens of a chunk.</summary>
    public int ContextLength { get; }

    /// <summary>Tokens from the beginning of a chunk to that of the next.</summary>
    public int Stride { get; }

    /// <summary>Tokens scored at the end of each chunk.</summary>
    public int ScoredTokens { get; }

    /// <summary>Number of chunks.</summary>
    public int ChunkCount { get; }

    /// <summary>Number of tokens of the text.</summary>
    public int TokenCount => _tokens.Length;

    /// <summary>Tokens evaluated for each chunk: all but the last, behind which nothing comes.</summary>
    public int EvaluatedTokens => ContextLength - 1;

    /// <summary>The tokens of a text, after the token for the beginning of a text if the model wants that; none for its end.</summary>
    /// <param name="model">The model.</param>
    /// <param name="text">The text.</param>
    /// <param name="parseSpecial">Read the names of special tokens (<c>&lt;|im_end|&gt;</c>) as those tokens.</param>
    public static int[] Tokenize(QuernModel model, string text, bool parseSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(model);
        int[] tokens = model.Tokenizer.Encode(text, addSpecial: false, parseSpecial);
        return Beginning(model) is { } bos ? [bos, .. tokens] : tokens;
    }

    /// <summary>Measures one chunk after the other: each is evaluated when the caller asks for it.</summary>
    /// <param name="cancellation">Looked at between passes; chunks handed out before stay as good as ever.</param>
    /// <exception cref="InvalidDataException">The model's logits are not numbers.</exception>
    /// <exception cref="ContextFullException">Other sessions hold the rest of the cache.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IEnumerable<PerplexityChunk> Run(CancellationToken cancellation = default)
    {
        using Session session = _model.CreateSession();
        int[] chunk = new int[ContextLength];
        LikelihoodEstimate total = default;
        for (int i = 0; i < ChunkCount; i++)
        {
            long begin = Stopwatch.GetTimestamp();
            int first = i * Stride;
            _tokens.AsSpan(first, ContextLength).CopyTo(chunk);
            if (Beginning(_model) is { } bos) chunk[0] = bos;
            LikelihoodEstimate measured = Score(session, chunk, first, cancellation);
            total = total.And(measured);
            yield return new PerplexityChunk(i, first, measured, total, Stopwatch.GetElapsedTime(begin));
        }
    }

    private LikelihoodEstimate Score(Session session, int[] chunk, int firstToken, CancellationToken cancellation)
    {
        session.Truncate(0);
        LikelihoodEstimate estimate = default;
        int past = ContextLength - ScoredTokens;
        // Logits of what is not scored are not computed: they cost as much as some layers.
        Add(session.Evaluate(chunk.AsSpan(0, past), cancellation), past);
        if (ScoredTokens > 1) session.EvaluateAll(chunk.AsSpan(past, ScoredTokens - 1), AddAll, cancellation);
        return estimate;

        void AddAll(int first, int count, ReadOnlySpan<float> logits)
        {
            for (int i = 0; i < count; i++) Add(logits.Slice(i * _model.VocabularySize, _model.VocabularySize), past + first + i + 1);
        }

        void Add(ReadOnlySpan<float> logits, int position)
        {
            int token = chunk[position];
            double nll = TokenLikelihood.Negative(logits, token);
            if (double.IsNaN(nll))
                throw new InvalidDataException($"the model's logits for token {firstToken + position} of the text are not numbers; its weights may be damaged");
            estimate = estimate.With(nll, _model.Tokenizer.Piece(token).Length);
        }
    }

    private static int? Beginning(QuernModel model) => model.Vocabulary.AddBos ? model.Vocabulary.Bos : null;

    private static int InRange(int? value, int standard, int least, int most, string name, string bound)
    {
        int chosen = value ?? standard;
        string expected = chosen < least ? $"at least {least}" : $"at most {most}, {bound}";
        return chosen >= least && chosen <= most ? chosen : throw new ArgumentOutOfRangeException(name, chosen, $"{name} is {chosen}; expected {expected}");
    }
}
