namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>Keeps this many of the most likely tokens; 0 or less keeps all.</summary>
    public int TopK { get; init; } = 40;
}

/// <summary>
/// Keeps the min(k, count) tokens with the largest logits.
/// Source: Fan et al., "Hierarchical Neural Story Generation" (arXiv:1805.04833, section 5.4).
/// </summary>
internal sealed class TopK : ISampler
{
    public static readonly SamplerEntry Entry = new(
        "top_k", 'k', "keeps the k most likely tokens",
        settings => settings.Options.TopK > 0 ? new TopK(settings.Options.TopK) : null,
        new NumberOption("--top-k", "top_k", "K", "keeps the K most likely tokens; 0 keeps all", new OptionRange(int.MinValue, int.MaxValue),
            options => options.TopK, (options, value) => options with { TopK = (int)value })
        { IsInteger = true });

    private readonly int _k;

    private TopK(int k) => _k = k;

    public int Keeps => _k;

    public bool KeepsLargest => true;

    public void Apply(Candidates candidates) => candidates.KeepLargest(_k);
}
