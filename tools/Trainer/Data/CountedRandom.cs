namespace Quern.Trainer.Data;

/// <summary>
/// Random numbers that follow from a seed, a stream and a counter: a run that resumes needs to know only its step. The numbers are SplitMix64's.
/// Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
/// </summary>
internal struct CountedRandom(ulong seed, ulong stream)
{
    /// <summary>The stream of first weights.</summary>
    public const ulong Weights = 1;

    /// <summary>The first stream of the data: one for each sequence of a run.</summary>
    public const ulong Data = 1UL << 32;

    private ulong _state = Mix(Mix(seed + 0x9E3779B97F4A7C15) ^ Mix(stream + 0xD1B54A32D192ED03));

    public ulong Next() => Mix(_state += 0x9E3779B97F4A7C15);

    /// <summary>A uniform number in [0, 1).</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A uniform integer in [0, limit); the error of the multiplication is below limit/2⁶⁴.</summary>
    public int NextInt(int limit) => (int)Math.BigMul(Next(), (ulong)limit, out _);

    /// <summary>A normal number, by Box and Muller 1958.</summary>
    public double NextNormal() => Math.Sqrt(-2 * Math.Log(1 - NextDouble())) * Math.Cos(2 * Math.PI * NextDouble());

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
