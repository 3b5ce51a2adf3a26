namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Quantises 256 values for the formats with a scale and a minimum for each sub-block, <c>w = d × s × q − dmin × m</c>: Q2_K, Q4_K, Q5_K.
/// Each sub-block's scale and offset are searched alone; the greatest of each sets d and dmin; then s and m are chosen among
/// the integers around the wanted values by the error that they leave.
/// </summary>
/// <typeparam name="T">The quants, from 0.</typeparam>
/// <param name="subLength">Values in a sub-block.</param>
/// <param name="highestScale">The greatest s and m.</param>
internal readonly unsafe struct AffineSuperBlock<T>(int subLength, int highestScale)
    where T : struct, ICodeRange
{
    /// <summary>Encodes one super-block.</summary>
    /// <param name="x">[256] values.</param>
    /// <param name="importance">[256] weights of the squared error, or null: then a value counts by its magnitude plus the sub-block's root mean square.</param>
    /// <param name="scales">[256 / subLength] destination of s.</param>
    /// <param name="minimums">[256 / subLength] destination of m.</param>
    /// <param name="quants">[256] destination of q.</param>
    /// <returns>d and dmin as binary16.</returns>
    public (ushort D, ushort Dmin) Quantize(float* x, float* importance, Span<byte> scales, Span<byte> minimums, byte* quants)
    {
        int subCount = 256 / subLength;
        float* weights = stackalloc float[256];
        Span<float> wantedScale = stackalloc float[16], wantedOffset = stackalloc float[16];
        float greatestScale = 0, greatestOffset = 0;
        for (int j = 0; j < subCount; j++)
        {
            float* sub = x + (j * subLength), weight = weights + (j * subLength);
            Weigh(sub, importance == null ? null : importance + (j * subLength), weight);
            (wantedScale[j], wantedOffset[j]) = SubBlockSearch.Affine<T>(sub, weight, subLength);
            greatestScale = MathF.Max(greatestScale, wantedScale[j]);
            greatestOffset = MathF.Max(greatestOffset, wantedOffset[j]);
        }

        ushort dBits = ScaleSearch.ToBits(greatestScale / highestScale), dminBits = ScaleSearch.ToBits(greatestOffset / highestScale);
        float d = Float16.ToSingle(dBits), dmin = Float16.ToSingle(dminBits);
        for (int j = 0; j < subCount; j++)
        {
            float* sub = x + (j * subLength);
            (int s, int m) = Nearest(sub, weights + (j * subLength), wantedScale[j], wantedOffset[j], d, dmin);
            (scales[j], minimums[j]) = ((byte)s, (byte)m);
            SubBlockSearch.Codes<T>(sub, subLength, d * s, dmin * m, (sbyte*)quants + (j * subLength));
        }

        return (dBits, dminBits);
    }

    private void Weigh(float* x, float* importance, float* weights)
    {
        double squares = 0, total = 0;
        for (int i = 0; i < subLength; i++) squares += x[i] * x[i];
        float level = (float)Math.Sqrt(squares / subLength);
        for (int i = 0; i < subLength; i++)
        {
            weights[i] = importance == null ? level + MathF.Abs(x[i]) : importance[i];
            total += weights[i];
        }

        // Nothing but zeros, or importance that is zero throughout (an expert that was never chosen): every value counts alike.
        if (total > 0) return;
        for (int i = 0; i < subLength; i++) weights[i] = 1;
    }

    private (int Scale, int Minimum) Nearest(float* x, float* weights, float scale, float offset, float d, float dmin)
    {
        int s0 = d == 0 ? 0 : (int)MathF.Round(scale / d), m0 = dmin == 0 ? 0 : (int)MathF.Round(offset / dmin);
        float least = float.PositiveInfinity;
        (int Scale, int Minimum) best = (0, 0);
        for (int s = Math.Max(s0 - 1, 0); s <= Math.Min(s0 + 1, highestScale); s++)
        {
            for (int m = Math.Max(m0 - 1, 0); m <= Math.Min(m0 + 1, highestScale); m++)
            {
                float error = SubBlockSearch.Error<T>(x, weights, subLength, d * s, dmin * m);
                if (error < least) (least, best) = (error, (s, m));
            }
        }

        return best;
    }
}
