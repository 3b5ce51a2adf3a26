namespace Quern.Engine;

/// <summary>
/// How many tokens to propose for each sequence of a step, so that most tokens come out in a second.
/// <para>
/// A proposed token is right with chance α, and counts only if those before it are: the i-th adds α^i tokens on the mean, so that k of them give (1 − α^(k+1)) / (1 − α) instead of 1. With T(n) the time
/// of a pass over n tokens and D that of a pass of the draft, a step of sequences j gives G = Σ_j Σ_{i ≤ k_j} α_j^i tokens in C = T(Σ_j (1 + k_j)) + D · max_j k_j. Beginning with all k_j = 0, the token
/// with the largest α_j^(k_j + 1) is added as long as G / C grows; a plateau of T is looked over by going on and taking the best sum that was met.
/// Source: Leviathan et al. 2023, arXiv 2211.17192, section 3.3, with measured costs and for a batch.
/// </para>
/// </summary>
internal static class DraftLengths
{
    /// <summary>Sets <see cref="Proposal.Wanted"/> of each.</summary>
    /// <param name="proposals">The sequences that may speculate, with their most in <paramref name="most"/>.</param>
    /// <param name="most">The most tokens for each.</param>
    /// <param name="others">Tokens of the step besides.</param>
    /// <param name="budget">The most proposed tokens of all together.</param>
    /// <param name="costs">T.</param>
    /// <param name="draftSeconds">D.</param>
    public static void Choose(List<Proposal> proposals, ReadOnlySpan<int> most, int others, int budget, StepCosts costs, double draftSeconds)
    {
        foreach (Proposal proposal in proposals) proposal.Wanted = 0;
        int tokens = others + proposals.Count, deepest = 0, added = 0, best = 0;
        double gain = tokens, cost = costs[tokens], bestRate = cost > 0 ? gain / cost : 0;
        Span<int> order = budget <= 256 ? stackalloc int[budget] : new int[budget];
        while (added < budget && Next(proposals, most) is >= 0 and var next)
        {
            Proposal proposal = proposals[next];
            gain += Math.Pow(proposal.Acceptance, ++proposal.Wanted);
            deepest = Math.Max(deepest, proposal.Wanted);
            order[added++] = next;
            double rate = gain / Math.Max(1e-9, costs[tokens + added] + (draftSeconds * deepest));
            if (rate <= bestRate) continue;
            (bestRate, best) = (rate, added);
        }

        // What was added behind the best sum is taken back.
        while (added > best) proposals[order[--added]].Wanted--;
    }

    private static int Next(List<Proposal> proposals, ReadOnlySpan<int> most)
    {
        int next = -1;
        double largest = 0;
        for (int i = 0; i < proposals.Count; i++)
        {
            if (proposals[i].Wanted >= most[i] || Math.Pow(proposals[i].Acceptance, proposals[i].Wanted + 1) is var gain && gain <= largest) continue;
            (next, largest) = (i, gain);
        }

        return next;
    }
}
