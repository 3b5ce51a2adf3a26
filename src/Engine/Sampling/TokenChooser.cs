using Quern.Kernels.Cpu;

namespace Quern.Engine.Sampling;

/// <summary>Chooses the next token of a generation: the sampler chain, without the tokens that a text never has. Allocates nothing after construction.</summary>
internal sealed class TokenChooser
{
    private readonly SamplerChain _sampler;
    private readonly int[] _excluded;

    // Those of them that are tokens: of the rows behind the last token nothing is selected.
    private readonly int[] _excludedTokens;

    public TokenChooser(QuernModel model, GenerationOptions options, ulong? seed, SamplingWorkspace? workspace = null)
    {
        _sampler = model.CreateSampler(seed is null ? options.Sampling : options.Sampling with { Seed = seed }, workspace);
        _excluded = [.. Excluded(model, options.IgnoreEos).Where(id => id < model.VocabularySize)];
        _excludedTokens = [.. _excluded.Where(id => id < model.Vocabulary.Count).Distinct()];
        Depth = DepthOf(model, options);
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

    /// <summary>How many of the largest logits are enough to choose by, up to <see cref="Backend.MostLargest"/>; 0 where all are needed.</summary>
    public int Depth { get; }

    /// <summary>How often a token was chosen from the largest logits alone.</summary>
    public long SelectedTokens { get; private set; }

    /// <summary>Chooses and remembers a token.</summary>
    /// <param name="logits">Those of a pass; where all are looked at, those of tokens that a text never has become −∞.</param>
    /// <param name="row">Which output of it.</param>
    /// <param name="likely">If not empty, receives the chosen token and the likeliest ones behind it.</param>
    public int Choose(PassLogits logits, int row, Span<TokenLogProbability> likely = default) =>
        Chosen(_sampler.Draw(Distribution(_sampler, logits, row)), logits, row, likely);

    /// <summary>Chooses and remembers a token where another one was proposed.</summary>
    /// <param name="logits">As for <see cref="Choose"/>.</param>
    /// <param name="row">Which output.</param>
    /// <param name="proposed">The proposed token.</param>
    /// <param name="draft">What it was drawn from.</param>
    /// <param name="likely">As for <see cref="Choose"/>.</param>
    /// <param name="accepted">Whether the proposed token was kept.</param>
    public int Verify(PassLogits logits, int row, int proposed, ReadOnlySpan<Candidate> draft, Span<TokenLogProbability> likely, out bool accepted) =>
        Chosen(_sampler.Verify(Distribution(_sampler, logits, row), proposed, draft, out accepted), logits, row, likely);

    /// <summary>What a chain with this one's options leaves of a row.</summary>
    public ReadOnlySpan<Candidate> Distribution(SamplerChain sampler, PassLogits logits, int row)
    {
        if (logits.TryLargest(row, Depth, out LargestLogits largest)) return sampler.Distribution(largest, _excludedTokens);
        Span<float> all = logits.All(row);
        Exclude(all);
        return sampler.Distribution(all);
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

    private int Chosen(int token, PassLogits logits, int row, Span<TokenLogProbability> likely)
    {
        _sampler.Accept(token);
        bool isSelected = logits.TryLargest(row, Depth, out LargestLogits largest);
        if (isSelected) SelectedTokens++;
        if (likely.IsEmpty) return token;
        if (isSelected)
        {
            LogProbabilities.Top(largest, token, likely);
            return token;
        }

        Span<float> all = logits.All(row);
        Exclude(all);
        likely[0] = new TokenLogProbability(token, LogProbabilities.Of(all, token));
        LogProbabilities.Top(all, likely[1..]);
        return token;
    }

    private int DepthOf(QuernModel model, GenerationOptions options)
    {
        int depth = _sampler.Depth;

        // As many as there are would stay in the order of the vocabulary.
        if (depth == 0 || depth >= model.VocabularySize) return 0;
        if (options.LogProbabilities is { } likely)
        {
            // What is left out would be in the sum.
            if (_excludedTokens.Length > 0) return 0;
            depth = Math.Max(depth, likely);
        }

        depth += _excludedTokens.Length;
        return depth <= Math.Min(Backend.MostLargest, model.Vocabulary.Count) ? depth : 0;
    }
}
