namespace Quern.Engine.Sampling;

/// <summary>Chooses the next token of a generation: the sampler chain, without the tokens that a text never has. Allocates nothing after construction.</summary>
internal sealed class TokenChooser
{
    private readonly SamplerChain _sampler;
    private readonly int[] _excluded;

    public TokenChooser(QuernModel model, GenerationOptions options, ulong? seed, SamplingWorkspace? workspace = null)
    {
        _sampler = model.CreateSampler(seed is null ? options.Sampling : options.Sampling with { Seed = seed }, workspace);
        _excluded = [.. Excluded(model, options.IgnoreEos).Where(id => id < model.VocabularySize)];
    }

    /// <summary>The seed of the random numbers.</summary>
    public ulong Seed => _sampler.Seed;

    // A matrix may have more rows than there are tokens, so that it divides well: those say nothing.
    public static IEnumerable<int> Excluded(QuernModel model, bool ignoreEos) => model.Vocabulary.SuppressedTokens
        .Concat(ignoreEos ? model.Vocabulary.EndOfGeneration : [])
        .Concat(Enumerable.Range(model.Vocabulary.Count, Math.Max(0, model.VocabularySize - model.Vocabulary.Count)));

    /// <summary>Remembers tokens that were not chosen here.</summary>
    public void Accept(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens) _sampler.Accept(token);
    }

    /// <summary>Chooses and remembers a token.</summary>
    /// <param name="logits">[vocabulary]; those of tokens that a text never has become −∞.</param>
    /// <param name="likely">If not empty, receives the chosen token and the likeliest ones behind it.</param>
    public int Choose(Span<float> logits, Span<TokenLogProbability> likely = default)
    {
        Exclude(logits);
        return Chosen(_sampler.Sample(logits), logits, likely);
    }

    /// <summary>Chooses and remembers a token where another one was proposed.</summary>
    /// <param name="logits">[vocabulary]; changed as by <see cref="Choose"/>.</param>
    /// <param name="proposed">The proposed token.</param>
    /// <param name="draft">What it was drawn from; empty if it was not drawn: then the choice is the one that <see cref="Choose"/> would have made, to the random number.</param>
    /// <param name="likely">As for <see cref="Choose"/>.</param>
    /// <param name="accepted">Whether the proposed token was kept.</param>
    public int Verify(Span<float> logits, int proposed, ReadOnlySpan<Candidate> draft, Span<TokenLogProbability> likely, out bool accepted)
    {
        Exclude(logits);
        int token;
        if (draft.IsEmpty) accepted = (token = _sampler.Sample(logits)) == proposed;
        else token = _sampler.Verify(logits, proposed, draft, out accepted);
        return Chosen(token, logits, likely);
    }

    /// <summary>Takes tokens out that a text never has.</summary>
    public void Exclude(Span<float> logits)
    {
        foreach (int token in _excluded) logits[token] = float.NegativeInfinity;
    }

    /// <summary>A sampler of its own with the same options and history.</summary>
    public SamplerChain CloneSampler(SamplingWorkspace workspace) => _sampler.Clone(workspace);

    /// <summary>Gives such a sampler this one's history.</summary>
    public void CopySamplerTo(SamplerChain clone) => clone.CopyStateFrom(_sampler);

    private int Chosen(int token, ReadOnlySpan<float> logits, Span<TokenLogProbability> likely)
    {
        _sampler.Accept(token);
        if (likely.IsEmpty) return token;
        likely[0] = new TokenLogProbability(token, LogProbabilities.Of(logits, token));
        LogProbabilities.Top(logits, likely[1..]);
        return token;
    }
}
