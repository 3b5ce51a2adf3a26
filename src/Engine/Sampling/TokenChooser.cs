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
        foreach (int token in _excluded) logits[token] = float.NegativeInfinity;
        int chosen = _sampler.Sample(logits);
        _sampler.Accept(chosen);
        if (likely.IsEmpty) return chosen;
        likely[0] = new TokenLogProbability(chosen, LogProbabilities.Of(logits, chosen));
        LogProbabilities.Top(logits, likely[1..]);
        return chosen;
    }
}
