using System.Numerics;
using Quern.Engine.Sampling;

namespace Quern.Engine;

/// <summary>What is proposed for one sequence, and how often its proposals were right. Reused from step to step.</summary>
internal sealed class Proposal
{
    // Few chains leave more tokens than this; for those that do, the room grows.
    private const int UsualCandidates = 64;

    /// <summary>A proposed token is expected to be right so often before anything is known.</summary>
    public const double FirstAcceptance = 0.6;

    private const double Memory = 0.95;

    private readonly int[] _tokens;
    private readonly Candidate[][] _distributions;
    private readonly int[] _candidates;

    /// <param name="most">The most tokens.</param>
    /// <param name="acceptance">How often they are expected to be right, until it is known.</param>
    public Proposal(int most, double acceptance = FirstAcceptance)
    {
        Acceptance = acceptance;
        (_tokens, _distributions, _candidates) = (new int[most], new Candidate[most][], new int[most]);
        for (int i = 0; i < most; i++) _distributions[i] = new Candidate[UsualCandidates];
    }

    /// <summary>Tokens proposed.</summary>
    public int Count { get; private set; }

    /// <summary>How many are wanted at most, by <see cref="DraftLengths"/>.</summary>
    public int Wanted { get; set; }

    /// <summary>The chance that a proposed token is right, of late.</summary>
    public double Acceptance { get; private set; }

    /// <summary>Tokens proposed so far.</summary>
    public long Proposed { get; private set; }

    /// <summary>Those of them that were right.</summary>
    public long Accepted { get; private set; }

    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Count);

    /// <summary>The distribution that a token was drawn from; empty where it was not drawn.</summary>
    public ReadOnlySpan<Candidate> Distribution(int index) => _distributions[index].AsSpan(0, _candidates[index]);

    public void Clear() => Count = 0;

    /// <summary>Proposes one more token.</summary>
    /// <param name="token">The token.</param>
    /// <param name="distribution">What it was drawn from; empty if it was not drawn.</param>
    public void Add(int token, ReadOnlySpan<Candidate> distribution = default)
    {
        if (distribution.Length > _distributions[Count].Length) _distributions[Count] = new Candidate[BitOperations.RoundUpToPowerOf2((uint)distribution.Length)];
        distribution.CopyTo(_distributions[Count]);
        _candidates[Count] = distribution.Length;
        _tokens[Count++] = token;
    }

    /// <summary>Remembers how many of the tokens were right before the first that was not.</summary>
    public void Learn(int accepted)
    {
        Proposed += Count;
        Accepted += accepted;
        for (int i = 0; i < accepted; i++) Acceptance = (Memory * Acceptance) + 1 - Memory;
        if (accepted < Count) Acceptance *= Memory;
    }

    /// <summary>Nothing was proposed: in time it is worth another try.</summary>
    public void Forget()
    {
        const double Slowly = 0.01;
        Acceptance += Slowly * (FirstAcceptance - Acceptance);
    }
}
