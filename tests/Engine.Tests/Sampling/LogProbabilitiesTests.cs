using FsCheck.Xunit;
using Quern.Engine.Sampling;
using static Quern.Engine.Tests.Sampling.Oracle;

namespace Quern.Engine.Tests.Sampling;

[Properties(Arbitrary = [typeof(Logits)], MaxTest = 150)]
public class LogProbabilitiesTests
{
    [Property]
    public void Top_are_the_most_likely_with_their_log_softmax(Logits logits, byte room)
    {
        var top = new TokenLogProbability[room % 30];
        int count = LogProbabilities.Top(logits.Values, top);
        Assert.Equal(Math.Min(top.Length, logits.Values.Length), count);
        Assert.Equal(Descending(logits.Values).Take(count), top.Take(count).Select(entry => entry.Token));
        double[] probabilities = Softmax(logits.Values);
        foreach (TokenLogProbability entry in top.Take(count))
        {
            double expected = Math.Log(probabilities[entry.Token]);
            Assert.True(Math.Abs(expected - entry.LogProbability) < 1e-4 || expected == entry.LogProbability);
            Assert.Equal(entry.LogProbability, LogProbabilities.Of(logits.Values, entry.Token));
        }
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        float[] logits = [.. Enumerable.Range(0, 2000).Select(i => MathF.Sin(i))];
        var top = new TokenLogProbability[20];
        LogProbabilities.Top(logits, top);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) LogProbabilities.Top(logits, top);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
