using System.Numerics;
using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>
/// What is proposed for one sequence, and how often its proposals were right. A tree: the children of a token, or of the text itself, are what may follow it. A chain is a tree without branches. Reused from step
/// to step.
/// </summary>
internal sealed class Proposal
{
    /// <summary>The parent of tokens that follow the text itself.</summary>
    public const int Root = -1;

    /// <summary>No token.</summary>
    public const int None = -2;

    /// <summary>The most tokens: the text's last one is in the tree with them.</summary>
    public const int MostTokens = Batch.TreeTokens - 1;

    // Few chains leave more tokens than this; for those that do, the room grows.
    private const int UsualCandidates = 64;

    private readonly int[] _tokens;
    private readonly int[] _parents;
    private readonly ulong[] _seen;
    private readonly Candidate[][] _distributions;
    private readonly int[] _candidates;
    private readonly int[] _kept;
    private int _keptCount;

    /// <param name="most">The most tokens.</param>
    public Proposal(int most)
    {
        most = Math.Min(most, MostTokens);
        (_tokens, _parents, _seen, _kept) = (new int[most], new int[most], new ulong[most + 1], new int[most]);
        (_distributions, _candidates) = (new Candidate[most][], new int[most]);
        for (int i = 0; i < most; i++) _distributions[i] = new Candidate[UsualCandidates];
        _seen[0] = 1;
    }

    /// <summary>Tokens proposed.</summary>
    public int Count { get; private set; }

    /// <summary>How many are wanted at most, by <see cref="DraftLengths"/>.</summary>
    public int Wanted { get; set; }

    /// <summary>How many a token's children are at most; 1 wants a chain.</summary>
    public int Branches { get; set; } = 1;

    /// <summary>The most tokens of a way through the tree.</summary>
    public int Depth { get; private set; }

    /// <summary>Whether every token follows the one before it.</summary>
    public bool IsChain => Depth == Count;

    /// <summary>How often chains were right of late, and how often trees.</summary>
    public AcceptanceRate Chains { get; init; } = new(AcceptanceRate.First);

    /// <inheritdoc cref="Chains"/>
    public AcceptanceRate Trees { get; init; } = new(AcceptanceRate.FirstOfTrees);

    /// <summary>The rate of what is wanted.</summary>
    public AcceptanceRate Rate => Branches > 1 ? Trees : Chains;

    /// <summary>Tokens proposed so far.</summary>
    public long Proposed { get; private set; }

    /// <summary>Those of them that were right.</summary>
    public long Accepted { get; private set; }

    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Count);

    /// <summary>Masks of the text's last token and of those proposed, for <see cref="Batch.AddTree"/>.</summary>
    public ReadOnlySpan<ulong> Seen => _seen.AsSpan(0, Count + 1);

    /// <summary>The tokens that were right, in order, as indices.</summary>
    public ReadOnlySpan<int> Kept => _kept.AsSpan(0, _keptCount);

    /// <summary>The distribution that a token was drawn from; empty where it was not drawn.</summary>
    public ReadOnlySpan<Candidate> Distribution(int index) => _distributions[index].AsSpan(0, _candidates[index]);

    public void Clear() => (Count, Depth, _keptCount) = (0, 0, 0);

    /// <summary>Proposes one more token behind the last one.</summary>
    /// <param name="token">The token.</param>
    /// <param name="distribution">What it was drawn from; empty if it was not drawn.</param>
    public void Add(int token, ReadOnlySpan<Candidate> distribution = default)
    {
        int index = Add(token, Count - 1);
        if (distribution.Length > _distributions[index].Length) _distributions[index] = new Candidate[BitOperations.RoundUpToPowerOf2((uint)distribution.Length)];
        distribution.CopyTo(_distributions[index]);
        _candidates[index] = distribution.Length;
    }

    /// <summary>Proposes one more token that was not drawn, behind another.</summary>
    /// <param name="token">The token.</param>
    /// <param name="parent">The index of the other one, or <see cref="Root"/>.</param>
    /// <returns>Its index.</returns>
    public int Add(int token, int parent)
    {
        (_tokens[Count], _parents[Count], _candidates[Count]) = (token, parent, 0);
        _seen[Count + 1] = _seen[parent + 1] | (1UL << (Count + 1));
        Depth = Math.Max(Depth, BitOperations.PopCount(_seen[Count + 1]) - 1);
        return Count++;
    }

    /// <summary>Proposes a continuation of the text; what it has in common with another one is there once.</summary>
    /// <param name="tokens">The continuation.</param>
    /// <param name="most">The most tokens to add.</param>
    public void AddPath(ReadOnlySpan<int> tokens, int most)
    {
        int parent = Root;
        most += Count;
        foreach (int token in tokens)
        {
            int child = Child(parent, token);
            if (child == None && Count == most) return;
            parent = child == None ? Add(token, parent) : child;
        }
    }

    /// <summary>The child of a token, or of <see cref="Root"/>, that is the given token; <see cref="None"/> if it has no such child.</summary>
    public int Child(int parent, int token)
    {
        for (int i = parent + 1; i < Count; i++)
            if (_parents[i] == parent && _tokens[i] == token) return i;
        return None;
    }

    /// <summary>The only child, where it was drawn from a distribution; otherwise <see cref="None"/>.</summary>
    public int DrawnChild(int parent) => parent + 1 < Count && _candidates[parent + 1] > 0 ? parent + 1 : None;

    /// <summary>A token is right.</summary>
    public void Keep(int index) => _kept[_keptCount++] = index;

    /// <summary>Remembers how many of the tokens were right.</summary>
    public void Learn()
    {
        Proposed += Count;
        Accepted += _keptCount;
        Rate.Learn(_keptCount, Depth);
    }
}
