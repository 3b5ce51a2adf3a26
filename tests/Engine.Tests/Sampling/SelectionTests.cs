using FsCheck.Xunit;
using Quern.Engine.Sampling;
using static Quern.Engine.Tests.Sampling.Oracle;

namespace Quern.Engine.Tests.Sampling;

[Properties(Arbitrary = [typeof(Logits)], MaxTest = 150)]
public class SelectionTests
{
    [Property]
    public void Largest_is_the_beginning_of_a_full_sort(Logits logits, int k)
    {
        Candidates candidates = Loaded(logits.Values);
        k = 1 + (int)((uint)k % (uint)logits.Values.Length);
        AssertKeys(Descending(logits.Values).Take(k), candidates.Largest(k).ToArray());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(40)]
    [InlineData(1000)]
    [InlineData(29_999)]
    public void Largest_of_rising_falling_equal_and_random_logits(int k)
    {
        const int N = 30_000;
        var random = new Random(2);
        AssertLargest([.. Enumerable.Range(0, N).Select(i => (float)i)], k);
        AssertLargest([.. Enumerable.Range(0, N).Select(i => (float)-i)], k);
        AssertLargest(new float[N], k);
        AssertLargest([.. Enumerable.Range(0, N).Select(_ => random.NextSingle())], k);
    }

    [Property]
    public void Partition_brings_the_smallest_to_the_front(byte[] bytes, int k)
    {
        if (bytes.Length == 0) return;
        ulong[] keys = Array.ConvertAll(bytes, b => (ulong)b % 50);
        k = 1 + (int)((uint)k % (uint)keys.Length);
        ulong[] partitioned = [.. keys];
        Candidates.Partition(partitioned, k);
        Assert.Equal(keys.Order(), partitioned.Order());
        Assert.Equal(keys.Order().Take(k), partitioned.Take(k).Order());
    }

    [Property]
    public void A_key_gives_its_logit_back_and_orders_as_the_pair(float a, float b, ushort i, ushort j)
    {
        if (float.IsNaN(a) || float.IsNaN(b)) return;
        Assert.Equal(a, Candidates.LogitOf(Candidates.Key(a, i)));
        int expected = a == b ? i.CompareTo(j) : b.CompareTo(a);
        Assert.Equal(Math.Sign(expected), Math.Sign(Candidates.Key(a, i).CompareTo(Candidates.Key(b, j))));
    }

    [Property]
    public void Keep_at_least_keeps_order_and_all_that_reach_the_threshold(Logits logits, sbyte threshold)
    {
        Candidates candidates = Loaded(logits.Values);
        int expected = logits.Values.Count(x => x >= threshold / 16f);
        Assert.Equal(expected, candidates.CountAtLeast(threshold / 16f));
        candidates.KeepAtLeast(threshold / 16f);
        Assert.Equal(
            Enumerable.Range(0, logits.Values.Length).Where(token => logits.Values[token] >= threshold / 16f),
            Enumerable.Range(0, candidates.Count).Select(candidates.TokenAt));
    }

    [Property]
    public void Reductions_agree_with_double_precision(Logits logits)
    {
        float[] x = logits.Values;
        Assert.Equal(x.Max(), Reductions.Max(x));
        float[] weights = new float[x.Length];
        double sum = Reductions.Exp(x, x.Max(), weights);
        double expected = x.Sum(v => Math.Exp((double)v - x.Max()));
        Assert.InRange(sum, expected * (1 - 1e-6), expected * (1 + 1e-6));
        for (int i = 0; i < x.Length; i++) Assert.InRange(weights[i], Math.Exp((double)x[i] - x.Max()) * (1 - 1e-6) - 1e-38, Math.Exp((double)x[i] - x.Max()) * (1 + 1e-6) + 1e-38);
        Assert.Equal(x.Max() + Math.Log(expected), Reductions.LogSumExp(x), 1e-6);
    }

    private static Candidates Loaded(float[] logits)
    {
        var candidates = new Candidates(logits.Length);
        candidates.Load(logits);
        return candidates;
    }

    private static void AssertLargest(float[] logits, int k) => AssertKeys(Descending(logits).Take(k), Loaded(logits).Largest(k).ToArray());

    private static void AssertKeys(IEnumerable<int> tokens, ulong[] keys) => Assert.Equal(tokens, keys.Select(key => (int)(uint)key));
}
