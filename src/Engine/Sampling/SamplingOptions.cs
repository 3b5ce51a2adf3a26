namespace Quern.Engine.Sampling;

/// <summary>
/// How a token is chosen from logits: llama.cpp's options with its names and defaults. Each sampler's options are declared in the sampler's
/// file. The values are checked by <see cref="Validate"/>, which <see cref="SamplerChain"/> calls.
/// </summary>
public sealed partial record SamplingOptions
{
    /// <summary>The defaults.</summary>
    public static SamplingOptions Default { get; } = new();

    /// <summary>The seed of the random numbers; null draws one, which <see cref="SamplerChain.Seed"/> then tells.</summary>
    public ulong? Seed { get; init; }

    /// <summary>The least number of tokens that typical, top-p, min-p and XTC leave; 0 is no more than one.</summary>
    public int MinKeep { get; init; }

    /// <summary>The samplers in the order in which they run, by name. A sampler left out does not run, whatever its options.</summary>
    public IReadOnlyList<string> Samplers { get; init; } =
        ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"];

    /// <summary>Refuses a value that is not allowed.</summary>
    /// <exception cref="ArgumentException">The message names the option, its value and what is allowed.</exception>
    public void Validate()
    {
        foreach (SamplerOption option in SamplerTable.Options) option.Check(this);
    }
}
