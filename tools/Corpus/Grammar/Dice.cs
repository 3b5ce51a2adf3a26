namespace Quern.Corpus.Grammar;

/// <summary>
/// The choices of one document: the generator SplitMix64, so that a seed gives the same text on every platform.
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; constants as at https://prng.di.unimi.it/splitmix64.c.
/// </summary>
internal sealed class Dice
{
    private ulong _state;

    public Dice(ulong seed)
    {
        // Neighbouring seeds begin far apart.
        _state = seed;
        _state = Next();
    }

    public ulong Next()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number in [0, <paramref name="count"/>); the bias of the multiplication is below 2^-32 for the small counts of a grammar.</summary>
    public int Below(int count) => (int)(((Next() >> 32) * (ulong)count) >> 32);

    /// <summary>A number from <paramref name="first"/> to <paramref name="last"/>, both possible.</summary>
    public int Between(int first, int last) => first + Below(last - first + 1);

    /// <summary>True in so many of a hundred cases.</summary>
    public bool Percent(int percent) => Below(100) < percent;

    public T Pick<T>(ReadOnlySpan<T> of) => of[Below(of.Length)];

    public T Pick<T>(T[] of) => of[Below(of.Length)];

    /// <summary><paramref name="count"/> different elements, in random order.</summary>
    public T[] PickSome<T>(T[] of, int count)
    {
        T[] copy = (T[])of.Clone();
        for (int i = 0; i < count; i++)
        {
            int j = i + Below(copy.Length - i);
            (copy[i], copy[j]) = (copy[j], copy[i]);
        }

        return copy[..count];
    }
}
