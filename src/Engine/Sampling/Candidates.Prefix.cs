using System.Numerics;
using System.Runtime.InteropServices;

namespace Quern.Engine.Sampling;

/// <summary>
/// The shortest prefix, in some order, whose weights reach a sum: top-p, where the order is by logit, and typical, where it is by distance to the
/// entropy. Instead of a sort of all there is a histogram of the ranks; only the bin in which the prefix ends is sorted.
/// </summary>
internal sealed partial class Candidates
{
    private const int Bins = 1024;
    private const float BinsPerUnit = 32;

    private readonly float[] _ranks = new float[vocabularySize];

    /// <summary>A rank for each candidate, the first of the order the smallest; +∞ is allowed. To be written before <see cref="KeepPrefix"/>.</summary>
    public Span<float> Ranks => _ranks.AsSpan(0, Count);

    /// <summary>Ranks the candidates by logit, the largest first.</summary>
    public void RankByLogit()
    {
        Span<Vector<float>> source = MemoryMarshal.Cast<float, Vector<float>>(Logits);
        Span<Vector<float>> destination = MemoryMarshal.Cast<float, Vector<float>>(Ranks);
        for (int i = 0; i < source.Length; i++) destination[i] = -source[i];
        for (int i = source.Length * Vector<float>.Count; i < Count; i++) _ranks[i] = -_logits[i];
    }

    /// <summary>
    /// Keeps the shortest prefix in the order of <see cref="Ranks"/>, then of the index, whose <see cref="Weights"/> add up to the sum (or more
    /// than it) and which has the least number of tokens; all, where no prefix does. The candidates kept stay in their order.
    /// </summary>
    /// <param name="sum">The sum to reach.</param>
    /// <param name="isExceeded">The sum is to be exceeded, not just reached.</param>
    /// <param name="minKeep">The least number of tokens.</param>
    public void KeepPrefix(double sum, bool isExceeded, int minKeep)
    {
        ReadOnlySpan<float> ranks = Ranks;
        ReadOnlySpan<float> weights = _weights.AsSpan(0, Count);
        float first = Reductions.Min(ranks);

        Span<double> sums = stackalloc double[Bins];
        Span<int> counts = stackalloc int[Bins];
        sums.Clear();
        counts.Clear();
        for (int i = 0; i < ranks.Length; i++)
        {
            int bin = Bin(ranks[i], first);
            sums[bin] += weights[i];
            counts[bin]++;
        }

        double reached = 0;
        int count = 0;
        int edge = 0;
        while (edge < Bins - 1 && !IsEnough(reached + sums[edge], count + counts[edge]))
        {
            reached += sums[edge];
            count += counts[edge++];
        }

        Span<ulong> keys = Keys[..counts[edge]];
        int filled = 0;
        for (int i = 0; i < ranks.Length; i++)
        {
            if (Bin(ranks[i], first) == edge) keys[filled++] = Key(-ranks[i], i);
        }

        keys.Sort();
        int taken = 0;
        while (taken < keys.Length && !(taken > 0 && IsEnough(reached, count + taken))) reached += weights[(int)(uint)keys[taken++]];
        ulong last = taken > 0 ? keys[taken - 1] : 0;
        int total = Count;
        int kept = 0;
        for (int i = 0; i < total; i++)
        {
            int bin = Bin(_ranks[i], first);
            if (bin < edge || (bin == edge && Key(-_ranks[i], i) <= last)) Move(i, kept++);
        }

        Truncate(kept);

        bool IsEnough(double weight, int tokens) => tokens >= minKeep && (isExceeded ? weight > sum : weight >= sum);
    }

    private static int Bin(float rank, float first)
    {
        float bin = (rank - first) * BinsPerUnit;
        return bin < Bins - 1 ? (int)bin : Bins - 1;
    }
}
