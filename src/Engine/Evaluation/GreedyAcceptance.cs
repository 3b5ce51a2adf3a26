using System.Runtime.InteropServices;
using Quern.Engine.Sampling;

namespace Quern.Engine.Evaluation;

/// <summary>
/// How many tokens of a small draft model a large target model would accept in speculative decoding, where both choose the likeliest token: the
/// draft proposes k tokens, the target checks them in one pass, keeps those up to the first that it would not have chosen, and adds one of its own.
/// Source: Leviathan et al. 2023, arXiv 2211.17192, at temperature 0.
/// </summary>
/// <remarks>
/// No rounds are run. An accepted token is the target's own, so the draft always goes on from the target's text: one pass of the draft over that
/// text says what it proposes at every position, and the rounds of every k are read off.
/// </remarks>
public sealed class GreedyAcceptance
{
    private readonly QuernModel _target;
    private readonly QuernModel _draft;
    private readonly AcceptanceOptions _options;
    private readonly int[] _excluded;

    /// <param name="target">The model whose text it is.</param>
    /// <param name="draft">The model that proposes; it may be the same.</param>
    /// <param name="options">What to measure; null for the defaults.</param>
    /// <exception cref="ArgumentException">The vocabularies differ: the message shows the first differences.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is not positive.</exception>
    public GreedyAcceptance(QuernModel target, QuernModel draft, AcceptanceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(draft);
        _options = options ?? new AcceptanceOptions();
        _options.Validate();
        IReadOnlyList<string> differences = VocabularyDifferences.Find(target.Vocabulary, draft.Vocabulary);
        if (differences.Count > 0)
            throw new ArgumentException($"target and draft have different vocabularies: {string.Join("; ", differences)}", nameof(draft));
        (_target, _draft) = (target, draft);
        _excluded = [.. TokenChooser.Excluded(target, _options.IgnoreEos)];
    }

    /// <summary>The most tokens of a prompt behind which a round still fits in both contexts.</summary>
    public int MostPromptTokens => Math.Min(_target.ContextLength, _draft.ContextLength) - LongestDraft;

    private int LongestDraft => _options.DraftLengths.Max();

    /// <summary>Generates behind a prompt and counts.</summary>
    /// <param name="prompt">[tokens] At least one token, at most <see cref="MostPromptTokens"/>.</param>
    /// <param name="cancellation">Looked at between tokens.</param>
    /// <exception cref="ArgumentException">The prompt is empty or too long, or an id is not of the vocabulary.</exception>
    /// <exception cref="ContextFullException">Other sessions hold the rest of a cache.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public AcceptanceText Measure(ReadOnlySpan<int> prompt, CancellationToken cancellation = default)
    {
        if (prompt.Length > MostPromptTokens)
        {
            throw new ArgumentException(
                $"the prompt has {prompt.Length} tokens; expected at most {MostPromptTokens}, so that {LongestDraft} more fit in the contexts of {_target.ContextLength} (target) and {_draft.ContextLength} (draft)",
                nameof(prompt));
        }

        // The target goes on behind the last beginning of a round, so that only the end of the text or of the context cuts a round short.
        List<int> chosen = Generate(prompt, MostPromptTokens - prompt.Length + LongestDraft + 1, cancellation);
        int[] drafted = Drafted(prompt, CollectionsMarshal.AsSpan(chosen), cancellation);
        bool ended = !_options.IgnoreEos && _target.Vocabulary.IsEndOfGeneration(chosen[^1]);
        List<AcceptanceCount> counts = [];
        foreach (int length in _options.DraftLengths)
            counts.Add(AcceptanceCount.Play(CollectionsMarshal.AsSpan(chosen), drafted, _options.MaxTokens, ended, length));
        bool endsWithin = ended && chosen.Count <= _options.MaxTokens;
        return new AcceptanceText(prompt.Length, chosen[..Math.Min(chosen.Count, _options.MaxTokens)], endsWithin, counts);
    }

    private List<int> Generate(ReadOnlySpan<int> prompt, int room, CancellationToken cancellation)
    {
        using Session session = _target.CreateSession();
        int count = (int)Math.Min(room, (long)_options.MaxTokens + LongestDraft);
        float[] buffer = new float[_target.VocabularySize];
        List<int> chosen = [Likeliest(session.Evaluate(prompt, cancellation), buffer)];
        int[] last = new int[1];
        while (chosen.Count < count && (_options.IgnoreEos || !_target.Vocabulary.IsEndOfGeneration(chosen[^1])))
        {
            last[0] = chosen[^1];
            chosen.Add(Likeliest(session.Evaluate(last, cancellation), buffer));
        }

        return chosen;
    }

    /// <summary>What the draft chooses behind the prompt and each number of tokens of the text.</summary>
    private int[] Drafted(ReadOnlySpan<int> prompt, ReadOnlySpan<int> text, CancellationToken cancellation)
    {
        using Session session = _draft.CreateSession();
        int vocabulary = _draft.VocabularySize;
        float[] buffer = new float[vocabulary];
        int[] drafted = new int[text.Length];
        drafted[0] = Likeliest(session.Evaluate(prompt, cancellation), buffer);
        if (text.Length == 1) return drafted;
        session.EvaluateAll(text[..^1], (first, count, logits) =>
        {
            for (int i = 0; i < count; i++) drafted[first + i + 1] = Likeliest(logits.Slice(i * vocabulary, vocabulary), buffer);
        }, cancellation);
        return drafted;
    }

    // The first of equals, as greedy sampling chooses. Rows of a matrix behind the last token say nothing.
    private int Likeliest(ReadOnlySpan<float> logits, float[] buffer)
    {
        Span<float> allowed = buffer.AsSpan(0, Math.Min(_target.Vocabulary.Count, logits.Length));
        logits[..allowed.Length].CopyTo(allowed);
        foreach (int token in _excluded)
            if (token < allowed.Length) allowed[token] = float.NegativeInfinity;
        int best = 0;
        for (int i = 1; i < allowed.Length; i++)
            if (allowed[i] > allowed[best]) best = i;
        return best;
    }
}
