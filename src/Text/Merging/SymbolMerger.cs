using System.Buffers;
using System.Diagnostics;

namespace Quern.Text.Merging;

/// <summary>
/// Merges the symbols of a word until no rule applies: of all adjacent pairs the one of the lowest rank first, of equals the leftmost.
/// That is the order both of byte-pair encoding and of SentencePiece's BPE, where the rank follows from the score of the result.
/// Source: Sennrich, Haddow, Birch, Neural Machine Translation of Rare Words with Subword Units, 2016, algorithm 1.
/// </summary>
internal static class SymbolMerger
{
    /// <summary>Up to this many symbols a scan for the lowest rank is faster than a heap, although it is quadratic.</summary>
    private const int ScanLimit = 48;

    /// <summary>Merges in place and returns the number of symbols left.</summary>
    /// <param name="rule">Which merges there are.</param>
    /// <param name="ids">[count] Symbols of the word.</param>
    /// <param name="ends">[count] Where each symbol ends in the word, in bytes; it begins where its predecessor ends.</param>
    public static int Merge<TRule>(ref TRule rule, scoped Span<int> ids, scoped Span<int> ends)
        where TRule : struct, IMergeRule, allows ref struct
    {
        Debug.Assert(ids.Length == ends.Length, "one end for each symbol");
        return ids.Length < 2 ? ids.Length : ids.Length <= ScanLimit ? MergeByScan(ref rule, ids, ends) : MergeByHeap(ref rule, ids, ends);
    }

    /// <summary>The quadratic form; internal so that a test can compare the two.</summary>
    internal static int MergeByScan<TRule>(ref TRule rule, scoped Span<int> ids, scoped Span<int> ends)
        where TRule : struct, IMergeRule, allows ref struct
    {
        int count = ids.Length;
        Span<int> ranks = count <= ScanLimit ? stackalloc int[ScanLimit] : new int[count];
        Span<int> merged = count <= ScanLimit ? stackalloc int[ScanLimit] : new int[count];
        for (int i = 0; i + 1 < count; i++) ranks[i] = rule.Rank(ids[i], ids[i + 1], Start(ends, i), ends[i + 1], out merged[i]);

        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
            {
                if (ranks[i] < ranks[best]) best = i;
            }

            if (ranks[best] == int.MaxValue) break;
            ids[best] = merged[best];
            int moved = count - best - 2;
            ends.Slice(best + 1, moved + 1).CopyTo(ends[best..]);
            if (moved > 0)
            {
                ids.Slice(best + 2, moved).CopyTo(ids[(best + 1)..]);
                ranks.Slice(best + 1, moved).CopyTo(ranks[best..]);
                merged.Slice(best + 1, moved).CopyTo(merged[best..]);
            }

            count--;
            if (best > 0) ranks[best - 1] = rule.Rank(ids[best - 1], ids[best], Start(ends, best - 1), ends[best], out merged[best - 1]);
            if (best + 1 < count) ranks[best] = rule.Rank(ids[best], ids[best + 1], Start(ends, best), ends[best + 1], out merged[best]);
        }

        return count;
    }

    /// <summary>The form that takes n log n steps: a heap of candidate merges, where the outdated ones are dropped when they surface.</summary>
    internal static int MergeByHeap<TRule>(ref TRule rule, scoped Span<int> ids, scoped Span<int> ends)
        where TRule : struct, IMergeRule, allows ref struct
    {
        int count = ids.Length;
        int[] rented = ArrayPool<int>.Shared.Rent(2 * count);
        Span<int> next = rented.AsSpan(0, count), previous = rented.AsSpan(count, count);
        for (int i = 0; i < count; i++)
        {
            next[i] = i + 1;
            previous[i] = i - 1;
        }

        MergeQueue queue = new(2 * count);
        for (int i = 0; i + 1 < count; i++) Offer(ref rule, ref queue, ids, ends, previous, i, i + 1);
        while (queue.TryDequeue(out MergeQueue.Candidate candidate))
        {
            int left = candidate.Left;
            int right = next[left];
            if (right < 0 || right >= count || ends[right] != candidate.End) continue;
            ids[left] = candidate.Merged;
            ends[left] = ends[right];
            next[left] = next[right];
            next[right] = -1;
            if (next[left] < count) previous[next[left]] = left;
            if (previous[left] >= 0) Offer(ref rule, ref queue, ids, ends, previous, previous[left], left);
            if (next[left] < count) Offer(ref rule, ref queue, ids, ends, previous, left, next[left]);
        }

        int kept = 0;
        for (int i = 0; i < count; i = next[i])
        {
            ids[kept] = ids[i];
            ends[kept++] = ends[i];
        }

        queue.Dispose();
        ArrayPool<int>.Shared.Return(rented);
        return kept;
    }

    private static void Offer<TRule>(
        ref TRule rule,
        ref MergeQueue queue,
        scoped ReadOnlySpan<int> ids,
        scoped ReadOnlySpan<int> ends,
        scoped ReadOnlySpan<int> previous,
        int left,
        int right)
        where TRule : struct, IMergeRule, allows ref struct
    {
        int start = previous[left] < 0 ? 0 : ends[previous[left]];
        int rank = rule.Rank(ids[left], ids[right], start, ends[right], out int merged);
        if (rank != int.MaxValue) queue.Enqueue(new MergeQueue.Candidate(rank, left, ends[right], merged));
    }

    private static int Start(ReadOnlySpan<int> ends, int symbol) => symbol == 0 ? 0 : ends[symbol - 1];
}
