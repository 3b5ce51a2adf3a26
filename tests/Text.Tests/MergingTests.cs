using FsCheck.Xunit;
using Quern.Text.Merging;

namespace Quern.Text.Tests;

/// <summary>The two forms of merging, against each other and against the definition.</summary>
public sealed class MergingTests
{
    [Property(MaxTest = 2000, EndSize = 120)]
    public void TheHeapMergesAsTheScanDoes(byte[] word, int seed)
    {
        Pairs rule = new(seed, symbolKinds: 12, ranks: 7);
        int[] expected = Definition(rule, Array.ConvertAll(word, b => b % 4));
        Assert.Equal(expected, Run(word, (ids, ends) => SymbolMerger.MergeByScan(ref rule, ids, ends)));
        Assert.Equal(expected, Run(word, (ids, ends) => SymbolMerger.MergeByHeap(ref rule, ids, ends)));
        Assert.Equal(expected, Run(word, (ids, ends) => SymbolMerger.Merge(ref rule, ids, ends)));
    }

    private delegate int Merger(Span<int> ids, Span<int> ends);

    private static int[] Run(byte[] word, Merger merge)
    {
        int[] ids = Array.ConvertAll(word, b => b % 4);
        int[] ends = [.. Enumerable.Range(1, word.Length)];
        int count = merge(ids, ends);
        Assert.True(count == 0 || ends[count - 1] == word.Length, "the symbols end where the word ends");
        Assert.True(ends.AsSpan(0, count).ToArray().Zip(ends.Skip(1)).Take(Math.Max(0, count - 1)).All(p => p.First < p.Second), "ends ascend");
        return ids[..count];
    }

    private static int[] Definition(Pairs rule, int[] symbols)
    {
        List<int> word = [.. symbols];
        while (true)
        {
            int best = -1, bestRank = int.MaxValue, bestMerged = 0;
            for (int i = 0; i + 1 < word.Count; i++)
            {
                int rank = rule.Rank(word[i], word[i + 1], 0, 0, out int merged);
                if (rank < bestRank) (best, bestRank, bestMerged) = (i, rank, merged);
            }

            if (best < 0) return [.. word];
            word[best] = bestMerged;
            word.RemoveAt(best + 1);
        }
    }

    /// <summary>Pseudo-random merges with many equal ranks; about half of the pairs merge.</summary>
    private readonly struct Pairs(int seed, int symbolKinds, int ranks) : IMergeRule
    {
        public int Rank(int left, int right, int start, int end, out int merged)
        {
            uint hash = (((uint)seed * 31) + ((uint)left * 977) + (uint)right) * 2654435761;
            hash ^= hash >> 15;
            merged = (int)(hash / 64 % (uint)symbolKinds);
            return hash % 2 == 0 ? int.MaxValue : (int)(hash / 2 % (uint)ranks);
        }
    }
}
