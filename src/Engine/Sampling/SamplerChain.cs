using System.Security.Cryptography;

namespace Quern.Engine.Sampling;

/// <summary>
/// Chooses tokens of one sequence: runs the samplers of <see cref="SamplingOptions.Samplers"/> over the logits, in that order after the
/// logit bias, and draws from what they leave. Nothing is allocated after construction. Not safe for use by two threads at once.
/// </summary>
/// <remarks>
/// The chain equals llama.cpp's of the same options up to its random numbers, except that a token whose logit is −∞ is never left over, and
/// that of two equal logits the lower token id counts as the larger.
/// </remarks>
public sealed class SamplerChain
{
    private readonly SamplerSettings _settings;
    private readonly SamplingWorkspace _workspace;
    private readonly Candidates _candidates;
    private readonly ISampler[] _samplers;
    private Xoshiro256 _random;

    /// <summary>Makes a chain.</summary>
    /// <param name="options">How to sample; checked here.</param>
    /// <param name="vocabularySize">The number of logits, at least 1.</param>
    /// <param name="contextLength">The most tokens that the sequence can have, at least 1: how many a window of −1 remembers.</param>
    /// <param name="dryBreakers">The sequence breakers as tokens; needed where DRY is on and has breakers.</param>
    /// <param name="workspace">Arrays to share with other chains; null makes new ones.</param>
    /// <exception cref="ArgumentException">An option has a value that is not allowed, or does not fit the vocabulary or the workspace.</exception>
    public SamplerChain(
        SamplingOptions options, int vocabularySize, int contextLength, DryBreakers? dryBreakers = null, SamplingWorkspace? workspace = null)
        : this(Settings(options, vocabularySize, contextLength, dryBreakers), workspace)
    {
    }

    private SamplerChain(SamplerSettings settings, SamplingWorkspace? workspace)
    {
        workspace ??= new SamplingWorkspace(settings.VocabularySize);
        if (workspace.VocabularySize != settings.VocabularySize)
        {
            throw new ArgumentException($"the workspace is for {workspace.VocabularySize} logits: expected {settings.VocabularySize}", nameof(workspace));
        }

        _settings = settings;
        _workspace = workspace;
        _candidates = workspace.Candidates;
        _samplers = [.. Create(settings).OfType<ISampler>()];
        _random = new Xoshiro256(settings.Seed);
        Depth = DepthOf(_samplers);
    }

    /// <summary>How many of the largest logits decide what the chain leaves, whatever the others are; 0 where all do.</summary>
    internal int Depth { get; }

    /// <summary>The options of the chain.</summary>
    public SamplingOptions Options => _settings.Options;

    /// <summary>The seed in use: that of the options, or the one drawn in its place.</summary>
    public ulong Seed => _settings.Seed;

    /// <summary>Chooses a token. The sequence is not told: <see cref="Accept"/> does that.</summary>
    /// <param name="logits">The logits of one position, <c>[vocabulary]</c>.</param>
    /// <returns>The token's id.</returns>
    /// <exception cref="ArgumentException">The number of logits is not the vocabulary's size.</exception>
    /// <exception cref="InvalidOperationException">A logit is NaN or +∞, or every token is excluded.</exception>
    public int Sample(ReadOnlySpan<float> logits) => Draw(Distribution(logits));

    /// <summary>Draws from what <see cref="Distribution(ReadOnlySpan{float})"/> left.</summary>
    internal int Draw(ReadOnlySpan<Candidate> distribution)
    {
        Candidate drawn = distribution[Candidate.Draw(distribution, _random.NextDouble())];
        Observe(drawn.Probability);
        return drawn.Token;
    }

    /// <summary>
    /// What the chain leaves of the logits: exactly the distribution that <see cref="Sample"/> draws from. XTC tosses its coin anew at each call.
    /// </summary>
    /// <param name="logits">The logits of one position, <c>[vocabulary]</c>.</param>
    /// <returns>At least one candidate, in no promised order; valid until the workspace is used again.</returns>
    /// <exception cref="ArgumentException">The number of logits is not the vocabulary's size.</exception>
    /// <exception cref="InvalidOperationException">A logit is NaN or +∞, or every token is excluded.</exception>
    public ReadOnlySpan<Candidate> Distribution(ReadOnlySpan<float> logits)
    {
        if (logits.Length != _settings.VocabularySize)
        {
            throw new ArgumentException($"{logits.Length} logits are given: expected the vocabulary's size, {_settings.VocabularySize}", nameof(logits));
        }

        _candidates.Load(logits);
        return Apply();
    }

    /// <summary>The same where <see cref="Depth"/> logits are enough.</summary>
    /// <param name="largest">At least so many of a position, beside those that are left out.</param>
    /// <param name="excluded">Tokens that are left out.</param>
    internal ReadOnlySpan<Candidate> Distribution(LargestLogits largest, ReadOnlySpan<int> excluded)
    {
        _candidates.LoadLargest(largest, excluded, Depth);
        return Apply();
    }

    /// <summary>
    /// Chooses a token where another one was drafted, so that the result is distributed as <see cref="Sample"/>'s: the drafted x is kept with chance min(1, p(x) / q(x)), and otherwise one is drawn
    /// from max(p − q, 0), p being this chain's distribution and q the draft's. The sequence is not told: <see cref="Accept"/> does that.
    /// Source: Leviathan et al. 2023, arXiv 2211.17192, section 2.3; Chen et al. 2023, arXiv 2302.01318.
    /// </summary>
    /// <param name="target">p, as <see cref="Distribution(ReadOnlySpan{float})"/> leaves it.</param>
    /// <param name="drafted">The drafted token; it was drawn from <paramref name="draft"/>.</param>
    /// <param name="draft">q.</param>
    /// <param name="accepted">Whether the drafted token was kept.</param>
    internal int Verify(ReadOnlySpan<Candidate> target, int drafted, ReadOnlySpan<Candidate> draft, out bool accepted)
    {
        float p = ProbabilityOf(target, drafted), q = ProbabilityOf(draft, drafted);
        accepted = _random.NextDouble() * q < p;
        int chosen = accepted ? drafted : target[DrawResidual(target, draft)].Token;
        Observe(accepted ? p : ProbabilityOf(target, chosen));
        return chosen;
    }

    /// <summary>Tells mirostat that a token was drawn by other means than <see cref="Sample"/>, which does so itself.</summary>
    /// <param name="probability">The token's probability in <see cref="Distribution(ReadOnlySpan{float})"/>, in (0, 1].</param>
    /// <exception cref="ArgumentOutOfRangeException">The probability is not in (0, 1].</exception>
    public void Observe(float probability)
    {
        // Rounding may leave the only candidate a little above 1.
        if (!(probability is > 0 and <= 1.0001f))
        {
            throw new ArgumentOutOfRangeException(nameof(probability), probability, "expected a probability, more than 0 to 1");
        }

        foreach (ISampler sampler in _samplers) sampler.Observe(probability);
    }

    /// <summary>Appends a token to the history that penalties and DRY look at: each token of the prompt, then each token chosen.</summary>
    /// <param name="token">The token's id.</param>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary has no such token.</exception>
    public void Accept(int token)
    {
        if ((uint)token >= (uint)_settings.VocabularySize)
        {
            throw new ArgumentOutOfRangeException(nameof(token), token, $"expected an id below the vocabulary's size, {_settings.VocabularySize}");
        }

        foreach (ISampler sampler in _samplers) sampler.Accept(token);
    }

    /// <summary>Back to the state after construction: no history, and the random numbers from the seed on.</summary>
    public void Reset()
    {
        foreach (ISampler sampler in _samplers) sampler.Reset();
        _random = new Xoshiro256(_settings.Seed);
    }

    /// <summary>A chain with the same options and state, and its own from here on.</summary>
    /// <param name="workspace">Arrays to share with other chains; null makes new ones.</param>
    public SamplerChain Clone(SamplingWorkspace? workspace = null)
    {
        var clone = new SamplerChain(_settings, workspace);
        clone.CopyStateFrom(this);
        return clone;
    }

    /// <summary>Takes the history and the random numbers of a chain from which this one was cloned, or the other way round; allocates nothing.</summary>
    /// <param name="source">A chain of the same family of clones.</param>
    /// <exception cref="ArgumentException">The chains are no clones of each other.</exception>
    public void CopyStateFrom(SamplerChain source)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (source._settings != _settings) throw new ArgumentException("the chains are no clones of each other", nameof(source));
        for (int i = 0; i < _samplers.Length; i++) _samplers[i].CopyStateFrom(source._samplers[i]);
        _random = source._random;
    }

    private ReadOnlySpan<Candidate> Apply()
    {
        foreach (ISampler sampler in _samplers) sampler.Apply(_candidates);
        return _candidates.Distribution();
    }

    // What the first sampler keeps; one, if the largest is all that is left of it later.
    private static int DepthOf(ISampler[] samplers)
    {
        foreach (ISampler sampler in samplers)
        {
            if (sampler.Keeps == 1) return 1;
            if (!sampler.KeepsLargest) break;
        }

        return samplers.Length > 0 ? samplers[0].Keeps : 0;
    }

    private static float ProbabilityOf(ReadOnlySpan<Candidate> distribution, int token)
    {
        foreach (Candidate candidate in distribution)
            if (candidate.Token == token) return candidate.Probability;
        return 0;
    }

    private int DrawResidual(ReadOnlySpan<Candidate> target, ReadOnlySpan<Candidate> draft)
    {
        float[] drafted = _workspace.Residual;
        foreach (Candidate candidate in draft) drafted[candidate.Token] = candidate.Probability;
        double total = 0;
        foreach (Candidate candidate in target) total += Math.Max(0, candidate.Probability - drafted[candidate.Token]);
        double aim = _random.NextDouble() * total, sum = 0;
        int chosen = -1;
        for (int i = 0; i < target.Length; i++)
        {
            double left = Math.Max(0, target[i].Probability - drafted[target[i].Token]);
            if (left == 0) continue;
            sum += left;
            chosen = i;
            if (sum > aim) break;
        }

        foreach (Candidate candidate in draft) drafted[candidate.Token] = 0;
        // Nothing is left where both are equal but for rounding.
        return chosen >= 0 ? chosen : Candidate.Draw(target, _random.NextDouble());
    }

    private static SamplerSettings Settings(SamplingOptions options, int vocabularySize, int contextLength, DryBreakers? dryBreakers)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 1);
        options.Validate();

        // 32 bits, so that a seed that was drawn is easy to type.
        ulong seed = options.Seed ?? (uint)RandomNumberGenerator.GetInt32(int.MinValue, int.MaxValue);
        return new SamplerSettings(options, vocabularySize, contextLength, seed, dryBreakers);
    }

    private static IEnumerable<ISampler?> Create(SamplerSettings settings)
    {
        yield return LogitBias.Entry.Create(settings);
        if (Mirostat.Entry.Create(settings) is { } mirostat)
        {
            yield return Temperature.Fixed(settings.Options);
            yield return mirostat;
            yield break;
        }

        foreach (string name in settings.Options.Samplers) yield return SamplerTable.Find(name)!.Create(settings);
    }
}
