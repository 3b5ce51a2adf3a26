namespace Quern.Engine;

/// <summary>How long a step of so many tokens takes, learnt from the steps that are made. What was not seen yet is read off its neighbours; beyond them it is believed to be cheap, so that it is tried.</summary>
/// <param name="most">The most tokens that are looked at.</param>
internal sealed class StepCosts(int most)
{
    private const double Optimism = 0.02;
    private const int Enough = 4;

    private readonly double[] _seconds = new double[most + 1];
    private readonly int[] _seen = new int[most + 1];

    /// <summary>
    /// An estimate after one more measurement. Less is believed sooner than more: a step that waited for something, or came first, says little about the next.
    /// </summary>
    /// <param name="estimate">What was believed; 0 before the first.</param>
    /// <param name="measured">What was measured.</param>
    public static double Learnt(double estimate, double measured) =>
        estimate == 0 ? measured : estimate + ((measured < estimate ? 0.5 : 0.1) * (measured - estimate));

    /// <summary>Remembers a step.</summary>
    public void Learn(int tokens, double seconds)
    {
        if (tokens >= _seconds.Length) return;
        _seconds[tokens] = Learnt(_seconds[tokens], seconds);
        _seen[tokens]++;
    }

    /// <summary>Whether a step of so many tokens was seen often enough.</summary>
    public bool Knows(int tokens) => tokens < _seen.Length && _seen[tokens] >= Enough;

    /// <summary>What a step is believed to take; 0 before the first.</summary>
    public double this[int tokens]
    {
        get
        {
            tokens = Math.Min(tokens, _seconds.Length - 1);
            int below = tokens, above = tokens;
            while (below > 0 && _seconds[below] == 0) below--;
            while (above < _seconds.Length && _seconds[above] == 0) above++;
            bool isAbove = above < _seconds.Length;
            if (below == 0) return isAbove ? _seconds[above] : 0;
            if (!isAbove) return _seconds[below] * (1 + (Optimism * (tokens - below)));
            return below == above ? _seconds[below] : _seconds[below] + ((_seconds[above] - _seconds[below]) * (tokens - below) / (above - below));
        }
    }
}
