namespace Quern.Kernels.Cpu.Formats.Grids;

/// <summary>
/// The best d and t in {−1, 0, 1} for a block: minimises Σ weight × (x − d × t)². For any d the best t is 0 where |x| &lt; d / 2 and the sign
/// of x elsewhere, so the best set of non-zeros is the k largest magnitudes for some k. With S = Σ weight × |x| and W = Σ weight over that
/// set, the best d is S / W and the error falls by S² / W: all k are tried.
/// </summary>
internal sealed class TernarySearch
{
    private const int Length = 256;
    private readonly float[] _magnitudes = new float[Length];
    private readonly float[] _weights = new float[Length];
    private readonly int[] _order = new int[Length];

    /// <summary>Encodes a block.</summary>
    /// <param name="values">[256] finite values.</param>
    /// <param name="importance">Empty or [256].</param>
    /// <param name="digits">[256] −1, 0 or 1.</param>
    /// <returns>d as binary16.</returns>
    public ushort Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<sbyte> digits)
    {
        BlockWeights.Fill(importance, _weights);
        for (int i = 0; i < Length; i++)
        {
            _magnitudes[i] = -MathF.Abs(values[i]);
            _order[i] = i;
        }

        Array.Sort(_magnitudes, _order);
        double sum = 0, weight = 0, best = 0, scale = 0;
        for (int k = 0; k < Length; k++)
        {
            sum -= (double)_weights[_order[k]] * _magnitudes[k];
            weight += _weights[_order[k]];
            double gain = sum * sum / weight;
            if (gain <= best) continue;
            best = gain;
            scale = sum / weight;
        }

        ushort bits = Float16.FromSingle((float)Math.Min(scale, Float16Limits.Largest));
        float half = Float16.ToSingle(bits) / 2;
        for (int i = 0; i < Length; i++)
            digits[i] = half == 0 || MathF.Abs(values[i]) <= half ? (sbyte)0 : values[i] < 0 ? (sbyte)-1 : (sbyte)1;
        return bits;
    }
}

/// <summary>Limits of binary16, in which blocks keep their scale.</summary>
internal static class Float16Limits
{
    /// <summary>The largest finite binary16.</summary>
    public const float Largest = 65504;
}
