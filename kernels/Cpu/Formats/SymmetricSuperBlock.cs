namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Quantises 256 values for the formats with a signed scale for each sub-block and no offset, <c>w = d × s × code</c>: Q3_K, Q6_K, IQ4_XS.
/// Each sub-block's scale is searched alone; the one of largest magnitude sets d, with s at the long end of its range; then s is chosen
/// among the integers around the wanted value by the error that it leaves.
/// </summary>
/// <typeparam name="T">The codes.</typeparam>
/// <param name="subLength">Values in a sub-block.</param>
/// <param name="lowestScale">The least s.</param>
/// <param name="highestScale">The greatest s.</param>
internal readonly unsafe struct SymmetricSuperBlock<T>(int subLength, int lowestScale, int highestScale)
    where T : struct, ICodeRange
{
    /// <summary>Encodes one super-block.</summary>
    /// <param name="x">[256] values.</param>
    /// <param name="importance">[256] weights of the squared error, or null: then a value counts by its square.</param>
    /// <param name="scales">[256 / subLength] destination of s.</param>
    /// <param name="codes">[256] destination of the codes.</param>
    /// <returns>d as binary16.</returns>
    public ushort Quantize(float* x, float* importance, Span<sbyte> scales, sbyte* codes)
    {
        int subCount = 256 / subLength;
        float* weights = stackalloc float[256];
        Span<float> wanted = stackalloc float[16];
        float extreme = 0;
        for (int j = 0; j < subCount; j++)
        {
            float* sub = x + (j * subLength), weight = weights + (j * subLength);
            Weigh(sub, importance == null ? null : importance + (j * subLength), weight);
            wanted[j] = SubBlockSearch.Symmetric<T>(sub, weight, subLength);
            if (MathF.Abs(wanted[j]) > MathF.Abs(extreme)) extreme = wanted[j];
        }

        ushort bits = ScaleSearch.ToBits(extreme / lowestScale);
        float d = Float16.ToSingle(bits);
        for (int j = 0; j < subCount; j++)
        {
            float* sub = x + (j * subLength);
            int s = Nearest(sub, weights + (j * subLength), wanted[j], d);
            scales[j] = (sbyte)s;
            SubBlockSearch.Codes<T>(sub, subLength, d * s, 0, codes + (j * subLength));
        }

        return bits;
    }

    private void Weigh(float* x, float* importance, float* weights)
    {
        double total = 0;
        for (int i = 0; i < subLength; i++)
        {
            weights[i] = importance == null ? x[i] * x[i] : importance[i];
            total += weights[i];
        }

        // Nothing but zeros, or importance that is zero throughout (an expert that was never chosen): every value counts alike.
        if (total > 0) return;
        for (int i = 0; i < subLength; i++) weights[i] = 1;
    }

    private int Nearest(float* x, float* weights, float scale, float d)
    {
        int s0 = d == 0 ? 0 : (int)MathF.Round(scale / d), best = 0;
        float least = float.PositiveInfinity;
        for (int s = Math.Max(s0 - 1, lowestScale); s <= Math.Min(s0 + 1, highestScale); s++)
        {
            float error = SubBlockSearch.Error<T>(x, weights, subLength, d * s, 0);
            if (error < least) (least, best) = (error, s);
        }

        return best;
    }
}
