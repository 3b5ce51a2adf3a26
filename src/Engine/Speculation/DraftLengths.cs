namespace Quern.Engine;

/// <summary>
/// How many tokens to propose for each sequence of a step, so that most tokens come out in a second.
/// <para>
/// A proposed token is right with chance α, and counts only if those before it are: the i-th adds α^i tokens on the mean, so that k of them give (1 − α^(k+1)) / (1 − α) instead of 1. With T(n) the time
/// of a pass over n tokens and D that of a pass of the draft, a step of sequences j gives G = Σ_j Σ_{i ≤ k_j} α_j^i tokens in C = T(Σ_j (1 + k_j)) + D · max_j k_j. Beginning with all k_j = 0, the token
/// with the largest α_j^(k_j + 1) is added as long as G / C grows; a plateau of T is looked over by going on and taking the best sum that was met. Trees of b branches are chains of levels, which take b
/// tokens each and whose α is the chance that one of a level is right; they are taken where that gives more tokens in a second.
/// Source: Leviathan et al. 2023, arXiv 2211.17192, section 3.3, with measured costs and for a batch; for trees, Chen et al. 2024, arXiv 2402.12374, section 3.
/// </para>
/// </summary>
internal static class DraftLengths
{
    /// <summary>Sets <see cref="Proposal.Wanted"/> and <see cref="Proposal.Branches"/> of each.</summary>
    /// <param name="proposals">The sequences that may speculate, with their most in <paramref name="most"/>.</param>
    /// <param name="most">The most tokens of a way through the tree of each.</param>
    /// <param name="others">Tokens of the step besides.</param>
    /// <param name="budget">The most proposed tokens of all together.</param>
    /// <param name="costs">T.</param>
    /// <param name="draftSeconds">D, of chains.</param>
    /// <param name="branches">b; 1 for chains only.</param>
    /// <param name="treeSeconds">D, of trees.</param>
    /// <returns>The tokens in a second that are expected, against those without proposals; at least 1.</returns>
    public static double Choose(List<Proposal> proposals, ReadOnlySpan<int> most, int others, int budget, StepCosts costs, double draftSeconds, int branches = 1, double treeSeconds = 0)
    {
        double trees = branches > 1 ? ChooseShape(proposals, most, others, budget, costs, treeSeconds, branches) : 0;
        double chains = ChooseShape(proposals, most, others, budget, costs, draftSeconds, 1);
        if (trees > chains) ChooseShape(proposals, most, others, budget, costs, treeSeconds, branches);
        int plain = others + proposals.Count;
        return Math.Max(1, Math.Max(trees, chains) * costs[plain] / plain);
    }

    // Returns tokens in a second.
    private static double ChooseShape(List<Proposal> proposals, ReadOnlySpan<int> most, int others, int budget, StepCosts costs, double draftSeconds, int branches)
    {
        foreach (Proposal proposal in proposals) (proposal.Wanted, proposal.Branches) = (0, branches);
        int tokens = others + proposals.Count, deepest = 0, added = 0, best = 0;
        double gain = tokens, cost = costs[tokens], bestRate = cost > 0 ? gain / cost : 0;
        budget /= branches;
        Span<int> order = budget <= 256 ? stackalloc int[budget] : new int[budget];
        while (added < budget && Next(proposals, most) is >= 0 and var next)
        {
            Proposal proposal = proposals[next];
            gain += Math.Pow(proposal.Rate.Value, ++proposal.Wanted);
            deepest = Math.Max(deepest, proposal.Wanted);
            order[added++] = next;
            double rate = gain / Math.Max(1e-9, costs[tokens + (added * branches)] + (draftSeconds * deepest));
            if (rate <= bestRate) continue;
            (bestRate, best) = (rate, added);
        }

        // What was added behind the best sum is taken back.
        while (added > best) proposals[order[--added]].Wanted--;
        foreach (Proposal proposal in proposals) proposal.Wanted *= branches;
        return bestRate;
    }

    private static int Next(List<Proposal> proposals, ReadOnlySpan<int> most)
    {
        int next = -1;
        double largest = 0;
        for (int i = 0; i < proposals.Count; i++)
        {
            if (proposals[i].Wanted >= most[i] || Math.Pow(proposals[i].Rate.Value, proposals[i].Wanted + 1) is var gain && gain <= largest) continue;
            (next, largest) = (i, gain);
        }

        return next;
    }
}
