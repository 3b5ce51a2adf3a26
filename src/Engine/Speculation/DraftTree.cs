using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>
/// A tree of tokens that a small model believes in, grown best first: a node's chance is the product of what the model says of the tokens on the way to it, and the likeliest nodes that are known are looked behind
/// next, some in each pass. What is proposed in the end are the likeliest of all; a parent is never less likely than its child, so they are a tree. No token is drawn: the target draws its own, and goes on where that is in
/// the tree.
/// Source: Li et al. 2024, arXiv 2406.16858 (EAGLE-2), section 4; Miao et al. 2023, arXiv 2305.09781, section 3.
/// </summary>
/// <param name="nodes">The most nodes.</param>
internal sealed class DraftTree(int nodes)
{
    private const int Known = -1, Taken = -2;

    private readonly int[] _tokens = new int[nodes];
    private readonly int[] _parents = new int[nodes];
    private readonly float[] _logChances = new float[nodes];
    private readonly ulong[] _seen = new ulong[nodes]; // of looked-at nodes: in the order in which they were
    private readonly int[] _state = new int[nodes];
    private readonly int[] _looked = new int[nodes];
    private int _count;

    /// <summary>Nodes that the model was asked what comes behind them.</summary>
    public int Looked { get; private set; }

    /// <summary>Begins with no node.</summary>
    public void Clear() => (_count, Looked) = (0, 0);

    /// <summary>What may follow a node.</summary>
    /// <param name="looked">Which of the nodes that were looked at, in order; −1 for the text itself.</param>
    /// <param name="likely">The likeliest tokens.</param>
    public void Grow(int looked, ReadOnlySpan<TokenLogProbability> likely)
    {
        int parent = looked < 0 ? Proposal.Root : _looked[looked];
        foreach (TokenLogProbability next in likely)
        {
            if (_count == _tokens.Length || float.IsNegativeInfinity(next.LogProbability)) break;
            float chance = Math.Min(0, next.LogProbability) + (parent < 0 ? 0 : _logChances[parent]);
            (_tokens[_count], _parents[_count], _logChances[_count], _state[_count]) = (next.Token, parent, chance, Known);
            _count++;
        }
    }

    /// <summary>The likeliest nodes that were not looked at yet.</summary>
    /// <param name="tokens">Receives as many as there are and as there is room for.</param>
    /// <param name="seen">Receives their masks, counting nodes in the order in which they are looked at: for <see cref="Batch.AddTree"/>.</param>
    /// <returns>How many.</returns>
    public int Look(Span<int> tokens, Span<ulong> seen)
    {
        int found = 0;
        for (; found < tokens.Length && Looked < Batch.TreeTokens && Likeliest(Known) is >= 0 and var node; found++)
        {
            // Parents come first: a child is known only when its parent was looked at.
            _seen[node] = (1UL << Looked) | (_parents[node] < 0 ? 0 : _seen[_parents[node]]);
            (tokens[found], seen[found]) = (_tokens[node], _seen[node]);
            _looked[Looked] = node;
            _state[node] = Looked++;
        }

        return found;
    }

    /// <summary>Proposes the likeliest nodes, as many as are wanted.</summary>
    public void Propose(Proposal proposal)
    {
        while (proposal.Count < proposal.Wanted && Likeliest() is >= 0 and var node)
        {
            // From here on a node's place in the proposal is all that is asked for.
            _looked[node] = proposal.Add(_tokens[node], _parents[node] < 0 ? Proposal.Root : _looked[_parents[node]]);
            _state[node] = Taken;
        }
    }

    private int Likeliest(int state)
    {
        int likeliest = -1;
        for (int i = 0; i < _count; i++)
            if (_state[i] == state && (likeliest < 0 || _logChances[i] > _logChances[likeliest])) likeliest = i;
        return likeliest;
    }

    // Of two that are as likely, the one that was known first: it may be the other's parent.
    private int Likeliest()
    {
        int likeliest = -1;
        for (int i = 0; i < _count; i++)
            if (_state[i] != Taken && (likeliest < 0 || _logChances[i] > _logChances[likeliest])) likeliest = i;
        return likeliest;
    }
}
