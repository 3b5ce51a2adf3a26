using Quern.Engine.Sampling;

namespace Quern.Engine;

/// <summary>What a generation cost. Time that its caller takes between tokens is not counted.</summary>
/// <param name="PromptTokens">Tokens evaluated before the first was chosen.</param>
/// <param name="PromptTime">Until the first token was chosen.</param>
/// <param name="GeneratedTokens">Tokens handed out.</param>
/// <param name="DecodeSteps">Passes of one token after the prompt's.</param>
/// <param name="DecodeTime">The time of those.</param>
/// <param name="Seed">The seed of the random numbers.</param>
/// <param name="CachedTokens">Tokens of the prompt that were found in the cache and not evaluated.</param>
/// <param name="ProposedTokens">Tokens that speculation proposed.</param>
/// <param name="AcceptedTokens">Those of them that the model kept.</param>
/// <param name="SelectedTokens">How often a token was chosen from the largest logits alone, which a card finds; otherwise all logits were looked at.</param>
public readonly record struct GenerationStatistics(
    int PromptTokens, TimeSpan PromptTime, int GeneratedTokens, int DecodeSteps, TimeSpan DecodeTime, ulong Seed, int CachedTokens = 0, long ProposedTokens = 0, long AcceptedTokens = 0, long SelectedTokens = 0)
{
    /// <summary>Prompt tokens a second; 0 before the first token.</summary>
    public double PromptTokensPerSecond => PromptTime > TimeSpan.Zero ? PromptTokens / PromptTime.TotalSeconds : 0;

    /// <summary>Tokens a second, one after the other; 0 before the second token.</summary>
    public double TokensPerSecond => DecodeTime > TimeSpan.Zero ? DecodeSteps / DecodeTime.TotalSeconds : 0;
}

/// <summary>
/// A step of a generation. Every token comes with the text that became certain with it: none while a character is incomplete or a stop text may
/// have begun. The last element has no token, the rest of the text, the reason and the statistics.
/// </summary>
/// <param name="Text">Text to append, perhaps empty.</param>
/// <param name="Token">The token, or −1 in the last element.</param>
/// <param name="Finish">Why the generation ended, in the last element.</param>
/// <param name="Statistics">What it cost, in the last element.</param>
/// <param name="LogProbabilities">If they were asked for: the token, then the likeliest ones, each with the logarithm of its probability.</param>
public readonly record struct GeneratedText(
    string Text, int Token, FinishReason? Finish = null, GenerationStatistics? Statistics = null, IReadOnlyList<TokenLogProbability>? LogProbabilities = null);
