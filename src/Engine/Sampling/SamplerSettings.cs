namespace Quern.Engine.Sampling;

/// <summary>What a sampler may need to be made.</summary>
/// <param name="Options">Validated options.</param>
/// <param name="VocabularySize">The number of logits.</param>
/// <param name="ContextLength">The most tokens a sequence can have: what −1 means as a number of last tokens.</param>
/// <param name="Seed">The chain's seed, drawn if none was given.</param>
/// <param name="DryBreakers">The tokens that end a repetition for DRY.</param>
internal sealed record SamplerSettings(SamplingOptions Options, int VocabularySize, int ContextLength, ulong Seed, DryBreakers? DryBreakers)
{
    /// <summary>A number of last tokens, where −1 is the whole context.</summary>
    public int Window(int lastN) => lastN < 0 ? ContextLength : lastN;
}
