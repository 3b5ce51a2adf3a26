using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>
/// Biases on scores that are learned for ranges of distances: half of the ranges are of one distance each, the others grow with the logarithm of the distance until they end at 128, and the last one
/// holds for all beyond. Where tokens see both sides, half of all ranges are for either. Source: Raffel et al. 2019, arXiv 1910.10683, section 2.1.
/// </summary>
internal static class RelativeBias
{
    private const int Farthest = 128;

    /// <summary>The biases by distance, [heads, 2 r + 1], of a table that is <c>[buckets, heads]</c> in the file.</summary>
    /// <param name="weights">The file's tensors.</param>
    /// <param name="config">Heads and number of ranges.</param>
    /// <param name="layer">Layer number; layers without a table have that of the first.</param>
    /// <param name="bothSides">Whether tokens see those behind them.</param>
    public static WeightVector Bind(WeightBinder weights, ModelConfig config, int layer, bool bothSides)
    {
        // The back end wants sixteen equal values where the table ends.
        const int Reach = Farthest + 15, Count = (2 * Reach) + 1;
        int heads = config.HeadCount;
        float[] table = weights.Values($"blk.{layer}.attn_rel_b.weight", "blk.0.attn_rel_b.weight", config.RelativeBuckets, heads), biases = new float[heads * Count];
        for (int head = 0; head < heads; head++)
            for (int i = 0; i < Count; i++) biases[(head * Count) + i] = table[(Bucket(i - Reach, config.RelativeBuckets, bothSides) * heads) + head];
        return weights.Computed($"blk.{layer}.attn_rel_b", biases);
    }

    /// <summary>The range of a distance, the key's place minus the query's.</summary>
    internal static int Bucket(int distance, int buckets, bool bothSides)
    {
        int first = 0;
        if (bothSides)
        {
            buckets /= 2;
            if (distance > 0) first = buckets;
        }
        else
        {
            distance = Math.Min(distance, 0);
        }

        int far = Math.Abs(distance), exact = buckets / 2;
        if (far < exact) return first + far;
        float share = MathF.Log((float)far / exact) / MathF.Log((float)Farthest / exact);
        return first + Math.Min(buckets - 1, exact + (int)(share * (buckets - exact)));
    }
}
