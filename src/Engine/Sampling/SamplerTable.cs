namespace Quern.Engine.Sampling;

/// <summary>
/// All samplers, in the default order of the chain, which is llama.cpp's. A sampler is one file and one line here; its command line options
/// and JSON fields follow from that.
/// </summary>
public static class SamplerTable
{
    /// <summary>Every sampler; those whose place is fixed (logit bias first, mirostat last) stand where they run.</summary>
    public static IReadOnlyList<SamplerEntry> Samplers { get; } =
    [
        LogitBias.Entry,
        Penalties.Entry,
        Dry.Entry,
        TopNSigma.Entry,
        TopK.Entry,
        Typical.Entry,
        TopP.Entry,
        MinP.Entry,
        Xtc.Entry,
        Temperature.Entry,
        Mirostat.Entry,
    ];

    /// <summary>Every option: those of the chain, then those of each sampler.</summary>
    public static IReadOnlyList<SamplerOption> Options { get; } = [.. ChainOptions.All, .. Samplers.SelectMany(sampler => sampler.Options)];

    /// <summary>The default chain as names.</summary>
    public static IReadOnlyList<string> DefaultOrder => SamplingOptions.Default.Samplers;

    /// <summary>The sampler of a name, in llama.cpp's spellings; null if there is none, or if its place in the chain is fixed.</summary>
    /// <param name="name">A name such as <c>top_k</c> or <c>top-k</c>.</param>
    public static SamplerEntry? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Samplers.FirstOrDefault(sampler => sampler.IsOrdered && sampler.Answers(name));
    }

    /// <summary>The sampler of a letter, such as k for top-k; null if there is none.</summary>
    /// <param name="letter">A letter of a sequence such as <c>edskypmxt</c>.</param>
    public static SamplerEntry? Find(char letter) => Samplers.FirstOrDefault(sampler => sampler.IsOrdered && sampler.Letter == letter);
}
