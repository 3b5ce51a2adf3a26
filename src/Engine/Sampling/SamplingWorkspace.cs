namespace Quern.Engine.Sampling;

/// <summary>
/// The arrays that a <see cref="SamplerChain"/> works in, 36 bytes for each token of the vocabulary. Chains that never run at the same time can
/// share one, so that many sequences cost little more memory than one. Not safe for use by two threads at once.
/// </summary>
/// <param name="vocabularySize">The number of logits, at least 1.</param>
/// <exception cref="ArgumentOutOfRangeException">The vocabulary is empty.</exception>
public sealed class SamplingWorkspace(int vocabularySize)
{
    /// <summary>The number of logits it has room for.</summary>
    public int VocabularySize => Candidates.VocabularySize;

    /// <summary>[vocabulary] zeros, of whoever puts something in and takes it out again.</summary>
    internal float[] Residual => field ??= new float[VocabularySize];

    internal Candidates Candidates { get; } = new(vocabularySize > 0 ? vocabularySize : throw new ArgumentOutOfRangeException(nameof(vocabularySize)));
}
