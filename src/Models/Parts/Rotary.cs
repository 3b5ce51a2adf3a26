using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>
/// The tables of a rotary encoding: frequency i is <c>b^(−2i/d)</c>, divided as the model's scaling says, in double precision until it is
/// stored. Source: Su et al. 2021, arXiv 2104.09864.
/// </summary>
internal static class Rotary
{
    /// <summary>The encoding of a model at a context length, with the divisors that its file may hold.</summary>
    public static RopeTable Bind(WeightBinder weights, ModelConfig config, int contextLength)
    {
        RopeConfig rope = config.Rope;
        int pairs = rope.Dimensions / 2;
        bool isLong = contextLength > rope.OriginalContextLength;
        float[]? longRope = weights.ValuesIfPresent(isLong ? "rope_factors_long.weight" : "rope_factors_short.weight", pairs);
        float[]? divisors = weights.ValuesIfPresent("rope_freqs.weight", pairs) ?? longRope;
        float magnitude = rope.AttentionFactor != 0 ? rope.AttentionFactor : longRope is not null ? LongRopeMagnitude(config) : 1;
        return Make(rope, divisors, magnitude);
    }

    /// <summary>The encoding without any scaling.</summary>
    public static RopeTable Plain(int dimensions, float frequencyBase) =>
        Make(new RopeConfig { Dimensions = dimensions, Base = frequencyBase, OriginalContextLength = 1 }, null, 1);

    /// <param name="rope">Base and scaling.</param>
    /// <param name="divisors">[pairs] or null: Llama 3's or LongRoPE's factors.</param>
    /// <param name="magnitude">Factor on cosines and sines, to which YaRN adds its own.</param>
    internal static RopeTable Make(RopeConfig rope, float[]? divisors, float magnitude)
    {
        float[] frequencies = new float[rope.Dimensions / 2];
        bool yarn = rope.Scaling == RopeScaling.Yarn && rope.ExtensionFactor != 0;
        double low = Math.Max(0, Math.Floor(Turning(rope, rope.BetaFast)));
        double high = Math.Min(rope.Dimensions - 1, Math.Ceiling(Turning(rope, rope.BetaSlow)));
        for (int i = 0; i < frequencies.Length; i++)
        {
            double frequency = Math.Pow(rope.Base, -2.0 * i / rope.Dimensions) / (divisors is null ? 1 : divisors[i]);
            double kept = yarn ? rope.ExtensionFactor * (1 - Math.Clamp((i - low) / Math.Max(0.001, high - low), 0, 1)) : 0;
            frequencies[i] = (float)((kept * frequency) + ((1 - kept) * frequency / rope.Factor));
        }

        // YaRN, equation 22: a longer context flattens the softmax, which a larger magnitude undoes.
        return new RopeTable(frequencies, yarn ? magnitude * (float)(1 + (0.1 * Math.Log(rope.Factor))) : magnitude);
    }

    /// <summary><c>√(1 + ln s / ln L)</c> for a context L that was stretched s times. Source: arXiv 2402.13753, section 4.</summary>
    private static float LongRopeMagnitude(ModelConfig config)
    {
        double original = config.Rope.OriginalContextLength, stretch = config.ContextLength / original;
        return stretch <= 1 || original <= 1 ? 1 : (float)Math.Sqrt(1 + (Math.Log(stretch) / Math.Log(original)));
    }

    /// <summary>The pair (as a real number) that turns <paramref name="times"/> times in the original context. Source: arXiv 2309.00071, section 3.2.</summary>
    private static double Turning(RopeConfig rope, double times) =>
        rope.Dimensions * Math.Log(rope.OriginalContextLength / (times * 2 * Math.PI)) / (2 * Math.Log(rope.Base));
}
