namespace Quern.Engine.Evaluation;

/// <summary>What was measured of one chunk of a text.</summary>
/// <param name="Index">Its number, from 0.</param>
/// <param name="FirstToken">Where it begins in the text.</param>
/// <param name="EvaluatedTokens">Tokens evaluated for it.</param>
/// <param name="Measured">The estimate of its own scored tokens.</param>
/// <param name="Total">The estimate of all chunks up to this one.</param>
/// <param name="Time">Time that it took.</param>
public readonly record struct PerplexityChunk(int Index, int FirstToken, int EvaluatedTokens, LikelihoodEstimate Measured, LikelihoodEstimate Total, TimeSpan Time);
