namespace Quern.Engine;

/// <summary>What an <see cref="InferenceEngine"/> does and has done.</summary>
/// <param name="Running">Sequences that are computed.</param>
/// <param name="Waiting">Sequences that wait.</param>
/// <param name="Pages">Pages of the model's cache.</param>
/// <param name="PagesHeld">Pages that sequences and sessions hold.</param>
/// <param name="PagesKnown">Pages whose tokens are known, held or free: what a new sequence may share.</param>
/// <param name="Steps">Steps made.</param>
/// <param name="ComputedTokens">Tokens computed, of prompts and chosen ones.</param>
/// <param name="BegunTokens">Tokens of sequences that began, or began again.</param>
/// <param name="CachedTokens">Those of them that were found in the cache.</param>
/// <param name="GeneratedTokens">Tokens chosen.</param>
/// <param name="Preemptions">How often a sequence lost its pages to another.</param>
/// <param name="ProposedTokens">Tokens proposed by speculation.</param>
/// <param name="AcceptedTokens">Those of them that the model kept.</param>
/// <param name="Proposals">How often tokens were proposed for a sequence: <paramref name="AcceptedTokens"/> / this is the mean accepted length, to which the model's own token comes.</param>
/// <param name="SpeedUp">How much faster tokens came than without speculation, by what steps without took in the same process; 0 until both are known, as where nothing is proposed or proposals are not adaptive.</param>
/// <param name="SchedulingTime">Time of deciding what steps compute: what the engine adds to the model.</param>
/// <param name="ComputingTime">Time in the model and in samplers.</param>
/// <param name="SelectedTokens">How often a token was chosen from the largest logits alone, which a card finds; otherwise all logits were looked at.</param>
public readonly record struct EngineStatistics(
    int Running, int Waiting, int Pages, int PagesHeld, int PagesKnown, long Steps, long ComputedTokens, long BegunTokens, long CachedTokens, long GeneratedTokens, long Preemptions, long ProposedTokens, long AcceptedTokens,
    long Proposals, double SpeedUp, TimeSpan SchedulingTime, TimeSpan ComputingTime, long SelectedTokens);
