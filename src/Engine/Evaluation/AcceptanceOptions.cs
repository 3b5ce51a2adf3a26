namespace Quern.Engine.Evaluation;

/// <summary>What <see cref="GreedyAcceptance"/> measures.</summary>
public sealed record AcceptanceOptions
{
    /// <summary>Tokens that the draft proposes in a round, each number measured by itself.</summary>
    public IReadOnlyList<int> DraftLengths { get; init; } = [1, 2, 4, 8];

    /// <summary>Tokens that the target generates for each prompt; rounds begin within them.</summary>
    public int MaxTokens { get; init; } = 128;

    /// <summary>Never choose a token that ends the text, in either model.</summary>
    public bool IgnoreEos { get; init; }

    /// <exception cref="ArgumentOutOfRangeException">A number is not positive, or there is none.</exception>
    internal void Validate()
    {
        // Without a draft length there is nothing to measure: as wrong as one of 0.
        Positive(DraftLengths.DefaultIfEmpty(0).Min(), nameof(DraftLengths));
        Positive(MaxTokens, nameof(MaxTokens));
    }

    private static void Positive(int value, string name)
    {
        if (value < 1) throw new ArgumentOutOfRangeException(name, value, $"{name} is {value}; expected at least 1");
    }
}
