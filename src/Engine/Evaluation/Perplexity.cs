using System.Diagnostics;

namespace Quern.Engine.Evaluation;

/// <summary>
/// How well a model predicts a text: the perplexity of tokens in chunks of one length, each evaluated in a context of its own that begins with the
/// token for the beginning of a text where the model wants one. By default the second half of each chunk is scored, so that every scored token has
/// a past. A chunk that the text does not fill is left out. With <see cref="PerplexityOptions.Documents"/> the chunks are the documents of the text.
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
    private readonly Chunk[] _chunks;

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
        if (options.MostChunks is < 1)
            throw new ArgumentOutOfRangeException(nameof(options), options.MostChunks, $"MostChunks is {options.MostChunks}; expected at least 1");
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)model.Vocabulary.Count)
                throw new ArgumentException($"there is no token {token}; expected an id below {model.Vocabulary.Count}", nameof(tokens));
        }

        _tokens = tokens.ToArray();
        IEnumerable<Chunk> chunks;
        if (options.Documents)
        {
            chunks = Documents(options);
        }
        else
        {
            (int context, int stride, int scored) = Lengths(model, options);
            (Stride, ScoredTokens) = (stride, scored);
            if (tokens.Length < context)
            {
                throw new ArgumentException(
                    $"the text has {tokens.Length} tokens and a chunk needs {context}; take a longer text, or shorter chunks with PerplexityOptions.ContextLength (quern: --context)",
                    nameof(tokens));
            }

            chunks = Enumerable.Range(0, ((tokens.Length - context) / stride) + 1).Select(i => new Chunk(i * stride, context, scored));
        }

        _chunks = [.. chunks.Take(options.MostChunks ?? int.MaxValue)];
        ContextLength = _chunks.Max(chunk => chunk.Length);
    }

    /// <summary>Tokens of a chunk; of the longest one, where they are documents.</summary>
    public int ContextLength { get; }

    /// <summary>Tokens from the beginning of a chunk to that of the next; null where they are documents.</summary>
    public int? Stride { get; }

    /// <summary>Tokens scored at the end of each chunk; null where they are documents, of which all but the first is scored.</summary>
    public int? ScoredTokens { get; }

    /// <summary>Number of chunks.</summary>
    public int ChunkCount => _chunks.Length;

    /// <summary>Number of tokens of the text.</summary>
    public int TokenCount => _tokens.Length;

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
        LikelihoodEstimate total = default;
        for (int i = 0; i < _chunks.Length; i++)
        {
            long begin = Stopwatch.GetTimestamp();
            (int first, int length, int scored) = _chunks[i];
            int[] tokens = _tokens[first..(first + length)];
            if (Beginning(_model) is { } bos) tokens[0] = bos;
            LikelihoodEstimate measured = Score(session, tokens, scored, first, cancellation);
            total = total.And(measured);
            // Behind the last token nothing comes: it is not evaluated.
            yield return new PerplexityChunk(i, first, length - 1, measured, total, Stopwatch.GetElapsedTime(begin));
        }
    }

    private LikelihoodEstimate Score(Session session, int[] chunk, int scored, int firstToken, CancellationToken cancellation)
    {
        session.Truncate(0);
        LikelihoodEstimate estimate = default;
        int past = chunk.Length - scored;
        // Logits of what is not scored are not computed: they cost as much as some layers.
        Add(session.Evaluate(chunk.AsSpan(0, past), cancellation), past);
        if (scored > 1) session.EvaluateAll(chunk.AsSpan(past, scored - 1), AddAll, cancellation);
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

    private static (int Context, int Stride, int Scored) Lengths(QuernModel model, PerplexityOptions options)
    {
        int context = InRange(
            options.ContextLength, Math.Min(PerplexityOptions.DefaultContextLength, model.ContextLength), 2, model.ContextLength,
            nameof(options.ContextLength), "the model's context");
        int stride = InRange(options.Stride, context, 1, context, nameof(options.Stride), "the length of a chunk");
        int mostScored = Math.Min(stride, context - 1);
        int standard = options.Stride is null ? Math.Max(1, context - (context / 2) - 1) : mostScored;
        int scored = InRange(options.ScoredTokens, standard, 1, mostScored, nameof(options.ScoredTokens), "the tokens of a chunk that are new and have one before them");
        return (context, stride, scored);
    }

    private List<Chunk> Documents(PerplexityOptions options)
    {
        if (options.ContextLength is not null || options.Stride is not null || options.ScoredTokens is not null)
            throw new ArgumentException("documents are whole and scored whole: ContextLength, Stride and ScoredTokens exclude Documents", nameof(options));
        int bos = _model.Vocabulary.Bos ?? throw new ArgumentException("the model has no token for the beginning of a text, and so none where documents begin", nameof(options));
        List<Chunk> documents = [];
        for (int first = 0, end; first < _tokens.Length; first = end)
        {
            end = Array.IndexOf(_tokens, bos, first + 1);
            if (end < 0) end = _tokens.Length;
            int length = end - first;
            if (length > _model.ContextLength)
            {
                throw new ArgumentException(
                    $"the document that begins with token {first} of the text has {length} tokens; expected at most {_model.ContextLength}, the model's context", nameof(options));
            }

            // A beginning alone has nothing to predict.
            if (length > 1) documents.Add(new Chunk(first, length, length - 1));
        }

        return documents.Count > 0 ? documents : throw new ArgumentException("the text has no document of two tokens or more", nameof(options));
    }

    private static int InRange(int? value, int standard, int least, int most, string name, string bound)
    {
        int chosen = value ?? standard;
        string expected = chosen < least ? $"at least {least}" : $"at most {most}, {bound}";
        return chosen >= least && chosen <= most ? chosen : throw new ArgumentOutOfRangeException(name, chosen, $"{name} is {chosen}; expected {expected}");
    }

    private readonly record struct Chunk(int First, int Length, int Scored);
}
