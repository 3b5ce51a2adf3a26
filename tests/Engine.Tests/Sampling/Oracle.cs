using Quern.Engine.Sampling;

namespace Quern.Engine.Tests.Sampling;

/// <summary>The formulas of the samplers in double precision, naive and over the whole vocabulary; and short ways to run a chain.</summary>
internal static class Oracle
{
    public const int Context = 4096;

    /// <summary>Options under which only the named samplers run.</summary>
    public static SamplingOptions Only(params string[] samplers) => new() { Samplers = samplers, Seed = 1 };

    /// <summary>What a new chain leaves, by token.</summary>
    public static Dictionary<int, double> Run(SamplingOptions options, float[] logits, int[]? history = null, DryBreakers? breakers = null)
    {
        var chain = new SamplerChain(options, logits.Length, Context, breakers);
        foreach (int token in history ?? []) chain.Accept(token);
        return Run(chain, logits);
    }

    public static Dictionary<int, double> Run(SamplerChain chain, float[] logits)
    {
        var left = new Dictionary<int, double>();
        foreach (Candidate candidate in chain.Distribution(logits)) left.Add(candidate.Token, candidate.Probability);
        return left;
    }

    /// <summary>The probabilities of the tokens.</summary>
    public static double[] Softmax(IReadOnlyList<double> logits)
    {
        double max = logits.Max();
        double sum = logits.Sum(x => Math.Exp(x - max));
        return [.. logits.Select(x => Math.Exp(x - max) / sum)];
    }

    public static double[] Softmax(float[] logits) => Softmax(Array.ConvertAll(logits, x => (double)x));

    /// <summary>Token ids, the largest value first, equal ones by id.</summary>
    public static int[] Descending(IReadOnlyList<double> values) => [.. Enumerable.Range(0, values.Count).OrderByDescending(i => values[i]).ThenBy(i => i)];

    public static int[] Descending(float[] logits) => Descending(Array.ConvertAll(logits, x => (double)x));

    /// <summary>The entropy in nats.</summary>
    public static double Entropy(IEnumerable<double> probabilities) => -probabilities.Where(p => p > 0).Sum(p => p * Math.Log(p));

    public static int FiniteCount(float[] logits) => logits.Count(x => x > float.NegativeInfinity);

    /// <summary>Asserts that exactly these tokens are left (those of −∞ never are), with the softmax of their logits.</summary>
    public static void AssertLeft(IEnumerable<int> expected, IReadOnlyList<double> logits, Dictionary<int, double> left)
    {
        int[] tokens = [.. expected.Where(token => logits[token] > double.NegativeInfinity).Order()];
        Assert.Equal(tokens, left.Keys.Order());
        AssertSoftmax(logits, left);
    }

    /// <summary>Asserts that what is left has the softmax of these logits among itself.</summary>
    public static void AssertSoftmax(IReadOnlyList<double> logits, Dictionary<int, double> left)
    {
        int[] tokens = [.. left.Keys];
        double[] expected = Softmax([.. tokens.Select(token => logits[token])]);
        for (int i = 0; i < tokens.Length; i++) Assert.InRange(left[tokens[i]], expected[i] * (1 - 1e-4) - 1e-30, expected[i] * (1 + 1e-4) + 1e-30);
    }

    public static double[] Doubles(float[] values) => Array.ConvertAll(values, x => (double)x);
}
