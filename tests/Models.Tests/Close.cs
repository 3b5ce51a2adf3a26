namespace Quern.Models.Tests;

/// <summary>Comparisons of logits that say where they fail.</summary>
public static class Close
{
    /// <summary>Every value within <paramref name="tolerance"/>.</summary>
    public static void AssertAll(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, int vocabulary, float tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        if (expected.IsEmpty) return;
        int worst = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            // A NaN is never within the tolerance, and stays the worst.
            if (!(MathF.Abs(expected[i] - actual[i]) <= MathF.Abs(expected[worst] - actual[worst]))) worst = i;
        }

        float difference = MathF.Abs(expected[worst] - actual[worst]);
        Assert.True(
            difference <= tolerance,
            $"logit {worst % vocabulary} of row {worst / vocabulary} is {actual[worst]}, {difference:g3} from {expected[worst]}; at most {tolerance:g3} was expected");
    }

    /// <summary>The same best token in every row where the two best of the reference differ by more than <paramref name="gap"/>.</summary>
    public static void AssertSameBest(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, int vocabulary, double gap)
    {
        for (int row = 0; row < expected.Length / vocabulary; row++)
        {
            ReadOnlySpan<float> reference = expected.Slice(row * vocabulary, vocabulary);
            int best = Best(reference);
            float second = float.NegativeInfinity;
            for (int i = 0; i < vocabulary; i++)
                if (i != best) second = MathF.Max(second, reference[i]);
            if (reference[best] - second <= gap) continue;
            int found = Best(actual.Slice(row * vocabulary, vocabulary));
            Assert.True(found == best, $"row {row}: token {found} is best; the reference has {best}, {reference[best] - second:g3} above its second");
        }
    }

    /// <summary>The position of the largest value.</summary>
    public static int Best(ReadOnlySpan<float> row)
    {
        int best = 0;
        for (int i = 1; i < row.Length; i++)
            if (row[i] > row[best]) best = i;
        return best;
    }
}
