using System.Globalization;

namespace Quern.Engine.Sampling;

/// <summary>The values an option may have.</summary>
internal readonly record struct OptionRange(double Minimum, double Maximum, bool MinimumExcluded = false)
{
    /// <summary>Any finite float.</summary>
    public static OptionRange Finite => new(float.MinValue, float.MaxValue);

    public static OptionRange Probability => new(0, 1);

    public static OptionRange AtLeast(double minimum) => new(minimum, float.MaxValue);

    public static OptionRange MoreThan(double minimum) => new(minimum, float.MaxValue, true);

    public bool Contains(double value) => value <= Maximum && (MinimumExcluded ? value > Minimum : value >= Minimum);

    public override string ToString()
    {
        string minimum = Minimum.ToString(CultureInfo.InvariantCulture);
        if (Maximum < float.MaxValue) return $"{minimum} to {Maximum.ToString(CultureInfo.InvariantCulture)}";
        if (MinimumExcluded) return $"more than {minimum}";
        return Minimum > float.MinValue ? $"at least {minimum}" : "a finite number";
    }
}
