using System.Globalization;

namespace Quern.Engine.Tests.Sampling;

/// <summary>
/// Whether counts are draws from a distribution, by Pearson's χ² and by Kolmogorov and Smirnov's largest distance of the sums. Each calls a right sampler wrong by one seed in a million at most: χ² by Wilson and Hilferty's
/// approximation (1931; outcomes that are expected less than five times are one), the distance by the inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's constant (1990), which holds for discrete distributions too.
/// </summary>
internal sealed class GoodnessOfFit
{
    private const double Deviations = 4.75, FalseAlarm = 1e-6, LeastExpected = 5;

    /// <param name="probabilities">[outcomes] they sum to 1.</param>
    /// <param name="counts">[outcomes] how often each was seen.</param>
    public GoodnessOfFit(IReadOnlyList<double> probabilities, IReadOnlyList<int> counts)
    {
        double draws = counts.Sum(), cells = 0, rare = 0, rareSeen = 0, sum = 0, seenSum = 0;
        for (int i = 0; i < probabilities.Count; i++)
        {
            double wanted = probabilities[i] * draws;
            (sum, seenSum) = (sum + wanted, seenSum + counts[i]);
            Distance = Math.Max(Distance, Math.Abs(sum - seenSum) / draws);
            if (wanted == 0 && counts[i] > 0) ChiSquare = double.PositiveInfinity;
            if (wanted < LeastExpected) (rare, rareSeen) = (rare + wanted, rareSeen + counts[i]);
            else Add(wanted, counts[i]);
        }

        if (rare > 0) Add(rare, rareSeen);
        double free = cells - 1, spread = 2 / (9 * free);
        ChiSquareLimit = free * Math.Pow(1 - spread + (Deviations * Math.Sqrt(spread)), 3);
        DistanceLimit = Math.Sqrt(Math.Log(2 / FalseAlarm) / (2 * draws));

        void Add(double wanted, double seen)
        {
            cells++;
            ChiSquare += (seen - wanted) * (seen - wanted) / wanted;
        }
    }

    /// <summary>Draws of a test: few in continuous integration, as many as QUERN_DRAWS says in a long run.</summary>
    public static int Draws(int usual) => Environment.GetEnvironmentVariable("QUERN_DRAWS") is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : usual;

    public double ChiSquare { get; private set; }

    public double ChiSquareLimit { get; }

    public double Distance { get; }

    public double DistanceLimit { get; }

    public void AssertFits()
    {
        Assert.InRange(ChiSquare, 0, ChiSquareLimit);
        Assert.InRange(Distance, 0, DistanceLimit);
    }
}
