using ILGPU;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>
/// <c>y = x Wᵀ + bias</c> for one to eight tokens, weights and activations in floating point, sums in binary32. A warp computes two rows; its lanes take 16 bytes of weights in turn.
/// Grid: pairs of rows over warps of a group.
/// </summary>
internal static class FloatGemv<TFormat, TTokens>
    where TFormat : unmanaged, IFloatFormat
    where TTokens : unmanaged, ITokenCount
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Activations and products.</param>
    public static void Kernel(DeviceMemory memory, GemvArguments a)
    {
        int pair = (Grid.IdxX * (Group.DimX >> 5)) + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        GemvPlace place = a.Find(pair);
        GemvPart part = place.Part;
        if (place.Pair >= part.Pairs) return;
        int row = place.Pair * 2, values = default(TFormat).Values, units = (part.Weights.Cols + values - 1) / values, unit = lane;
        long first = part.FirstRow + row, second = row + 1 < part.Weights.Rows ? first + 1 : first;
        long firstPlace = part.Weights.Quants + (first * units * 16), secondPlace = part.Weights.Quants + (second * units * 16);
        GemvSums sums = default;
        if (default(TTokens).Count == 1)
        {
            for (; unit + 32 < units; unit += 64)
            {
                Uint4 b0 = Lane.Stream16(memory, firstPlace + ((long)unit * 16)), b1 = Lane.Stream16(memory, secondPlace + ((long)unit * 16));
                Uint4 b2 = Lane.Stream16(memory, firstPlace + ((long)unit * 16) + 512), b3 = Lane.Stream16(memory, secondPlace + ((long)unit * 16) + 512);
                Float8 x0 = Activations(memory, a, 0, unit), x1 = Activations(memory, a, 0, unit + 32);
                sums.A0 += Dot(default(TFormat).Decode(b0), x0) + Dot(default(TFormat).Decode(b2), x1);
                sums.B0 += Dot(default(TFormat).Decode(b1), x0) + Dot(default(TFormat).Decode(b3), x1);
            }
        }

        for (; unit < units; unit += 32)
        {
            Float8 w0 = default(TFormat).Decode(Lane.Stream16(memory, firstPlace + ((long)unit * 16)));
            Float8 w1 = default(TFormat).Decode(Lane.Stream16(memory, secondPlace + ((long)unit * 16)));
            Float8 x = Activations(memory, a, 0, unit);
            sums.A0 += Dot(w0, x);
            sums.B0 += Dot(w1, x);
            if (default(TTokens).Count > 1)
            {
                x = Activations(memory, a, 1, unit);
                sums.A1 += Dot(w0, x);
                sums.B1 += Dot(w1, x);
            }

            if (default(TTokens).Count > 2)
            {
                x = Activations(memory, a, 2, unit);
                sums.A2 += Dot(w0, x);
                sums.B2 += Dot(w1, x);
                x = Activations(memory, a, 3, unit);
                sums.A3 += Dot(w0, x);
                sums.B3 += Dot(w1, x);
            }

            if (default(TTokens).Count > 4)
            {
                x = Activations(memory, a, 4, unit);
                sums.A4 += Dot(w0, x);
                sums.B4 += Dot(w1, x);
                x = Activations(memory, a, 5, unit);
                sums.A5 += Dot(w0, x);
                sums.B5 += Dot(w1, x);
                x = Activations(memory, a, 6, unit);
                sums.A6 += Dot(w0, x);
                sums.B6 += Dot(w1, x);
                x = Activations(memory, a, 7, unit);
                sums.A7 += Dot(w0, x);
                sums.B7 += Dot(w1, x);
            }
        }

        GemvSums.Store<TTokens>(memory, a.Tokens, part, row, sums);
    }

    /// <summary>Sixteen bytes of weights' worth of a token's activations; tokens that are not there repeat the last one.</summary>
    public static Float8 Activations(DeviceMemory memory, GemvArguments a, int token, int unit)
    {
        ArrayView<Uint4> words = memory.Bytes.Cast<Uint4>();
        long place = a.X.Row(IntrinsicMath.Min(token, a.Tokens - 1)) >> 2;
        if (default(TFormat).Values == 4) return Float8.OfBits(words[place + unit], default);
        return Float8.OfBits(words[place + (2 * unit)], words[place + (2 * unit) + 1]);
    }

    /// <summary>The product of as many values as 16 bytes of weights hold.</summary>
    public static float Dot(Float8 w, Float8 x)
    {
        float sum = (w.V0 * x.V0) + (w.V1 * x.V1) + (w.V2 * x.V2) + (w.V3 * x.V3);
        if (default(TFormat).Values == 8) sum += (w.V4 * x.V4) + (w.V5 * x.V5) + (w.V6 * x.V6) + (w.V7 * x.V7);
        return sum;
    }
}
