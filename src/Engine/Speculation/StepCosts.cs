namespace Quern.Engine;

/// <summary>How long a step of so many tokens takes, learnt from the steps that are made. What was not seen yet is read off its neighbours; beyond them it is believed to be cheap, so that it is tried.</summary>
/// <param name="most">The most tokens that are looked at.</param>
internal sealed class StepCosts(int most)
{
    private const double Memory = 0.8, Optimism = 0.02;

    private readonly double[] _seconds = new double[most + 1];

    /// <summary>Remembers a step.</summary>
    public void Learn(int tokens, double seconds)
    {
        if (tokens >= _seconds.Length) return;
        _seconds[tokens] = _seconds[tokens] == 0 ? seconds : (Memory * _seconds[tokens]) + ((1 - Memory) * seconds);
    }

    /// <summary>Whether a step of so many tokens was seen.</summary>
    public bool Knows(int tokens) => tokens < _seconds.Length && _seconds[tokens] > 0;

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
