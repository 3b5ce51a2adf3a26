namespace Quern.Engine;

/// <summary>The chance α that one more token of a proposal is right, if those before it are: that it is the one proposed, or one of several.</summary>
/// <param name="expected">What is expected until more is known.</param>
internal sealed class AcceptanceRate(double expected)
{
    /// <summary>What is expected of chains before anything is known.</summary>
    public const double First = 0.6;

    /// <summary>The same of trees.</summary>
    public const double FirstOfTrees = 0.75;

    private const double Memory = 0.95, Slowly = 0.01;

    private readonly double _expected = Math.Max(expected, First);

    /// <summary>α, of late.</summary>
    public double Value { get; private set; } = expected;

    /// <summary>A proposal was checked.</summary>
    /// <param name="right">Tokens that were right, one behind the other.</param>
    /// <param name="most">How many could have been.</param>
    public void Learn(int right, int most)
    {
        for (int i = 0; i < right; i++) Value = (Memory * Value) + 1 - Memory;
        if (right < most) Value *= Memory;
    }

    /// <summary>Nothing was proposed: in time it is worth another try.</summary>
    public void Forget()
    {
        if (Value < _expected) Value += Slowly * (_expected - Value);
    }
}
