namespace Quern.Engine;

/// <summary>Where an engine takes the tokens from that it hopes a model would choose: several of them are checked in one pass, and only what the model says itself is kept.</summary>
public sealed record SpeculationOptions
{
    /// <summary>A small model with the same vocabulary that proposes; null proposes what followed the same tokens earlier in the text. It belongs to the engine while that lives, and is disposed by its owner.</summary>
    public QuernModel? Draft { get; init; }

    /// <summary>Without a draft: of how many tokens of texts that the engine has finished what followed the same tokens is proposed, beside the text's own; 0 looks at the text alone. A token takes about 110 bytes.</summary>
    public int RememberedTokens { get; init; }

    /// <summary>The most tokens that are proposed at once for a sequence.</summary>
    public int MaxTokens { get; init; } = 8;

    /// <summary>
    /// Whether trees are proposed, and with how many branches: so many tokens on the mean for each of the <see cref="MaxTokens"/> places, of which at most one is kept; 1 for none. Where <see cref="Adaptive"/>, only as long as
    /// more tokens come out in a second with them. Models with a state take none.
    /// </summary>
    public int Branches { get; init; } = 1;

    /// <summary>Whether fewer tokens, or none, are proposed where the measured costs and the measured acceptance say that it pays; false always proposes <see cref="MaxTokens"/>.</summary>
    public bool Adaptive { get; init; } = true;

    /// <summary>The most <see cref="Branches"/>.</summary>
    internal const int MostBranches = 8;

    private const int MostRemembered = 1 << 26;

    /// <exception cref="ArgumentException">A number is not positive, or the vocabularies differ.</exception>
    /// <exception cref="InvalidOperationException">The draft has an encoder and does not go on from a text.</exception>
    internal void Validate(QuernModel target)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxTokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Branches, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Branches, MostBranches);
        ArgumentOutOfRangeException.ThrowIfNegative(RememberedTokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(RememberedTokens, MostRemembered);
        if (Draft is null) return;
        Draft.CheckContinues("a draft");
        IReadOnlyList<string> differences = Evaluation.VocabularyDifferences.Find(target.Vocabulary, Draft.Vocabulary);
        if (differences.Count == 0 && Draft.VocabularySize != target.VocabularySize) differences = [$"the target has {target.VocabularySize} logits, the draft {Draft.VocabularySize}"];
        if (differences.Count > 0) throw new ArgumentException($"target and draft have different vocabularies: {string.Join("; ", differences)}", nameof(target));
    }
}
