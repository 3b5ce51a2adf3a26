using ILGPU;
using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Experts;

/// <summary>Arguments of <see cref="BlockExperts{T}"/> and <see cref="FloatExperts{T}"/>.</summary>
internal readonly struct ExpertArguments(DeviceWeights weights, DeviceTensor x, long quants, long scales, long experts, int pairsOfRow, long bias, DeviceTensor y)
{
    public readonly DeviceWeights Weights = weights;

    /// <summary>Activations as for <see cref="GemvArguments.X"/>.</summary>
    public readonly DeviceTensor X = x;

    /// <summary>As <see cref="GemvArguments.Quants"/>.</summary>
    public readonly long Quants = quants;

    /// <summary>As <see cref="GemvArguments.Scales"/>.</summary>
    public readonly long Scales = scales;

    /// <summary>Byte offset of the expert of each pair.</summary>
    public readonly long Experts = experts;

    /// <summary>Pairs that read a row of the activations: k where rows are tokens, 1 where they are pairs.</summary>
    public readonly int PairsOfRow = pairsOfRow;

    /// <summary>Byte offset of the biases, [experts, rows], or −1.</summary>
    public readonly long Bias = bias;
    public readonly DeviceTensor Y = y;
}

/// <summary>
/// <c>y[r] = x[row of r] W[expert of r]ᵀ + bias[expert of r]</c>, activations in bytes. A warp computes two rows of a pair's product. Grid: (pairs of rows over warps, routed pairs).
/// </summary>
internal static class BlockExperts<T>
    where T : unmanaged, IBlockFormat
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Weights, activations, routes.</param>
    public static void Kernel(DeviceMemory memory, ExpertArguments a)
    {
        int row = 2 * ((Grid.IdxX * (Group.DimX >> 5)) + (Group.IdxX >> 5)), pair = Grid.IdxY;
        if (row >= a.Weights.Rows) return;
        int expert = memory.Ints[(a.Experts >> 2) + pair], blocks = a.Weights.Blocks, source = pair / a.PairsOfRow;
        long first = ((long)expert * a.Weights.Rows) + row, second = row + 1 < a.Weights.Rows ? first + 1 : first;

        // The product's own code reads a token's activations by number; here the token is the routed one.
        GemvArguments x = new(source + 1, a.X, a.Quants, a.Scales, default, default, default);
        GemvSums sums = default;
        for (int block = Group.IdxX & 31; block < blocks; block += 32)
        {
            BlockCodes w0 = default(T).Load(memory, a.Weights, first, block), w1 = default(T).Load(memory, a.Weights, second, block);
            BlockActivations b = BlockGemv<T, OneToken>.Activations(memory, x, source, block, blocks);
            sums.A0 += BlockGemv<T, OneToken>.Dot(w0, b);
            sums.B0 += BlockGemv<T, OneToken>.Dot(w1, b);
        }

        ExpertRows.Store(memory, a, expert, pair, row, sums);
    }
}

/// <summary>The same in floating point.</summary>
internal static class FloatExperts<T>
    where T : unmanaged, IFloatFormat
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Weights, activations, routes.</param>
    public static void Kernel(DeviceMemory memory, ExpertArguments a)
    {
        int row = 2 * ((Grid.IdxX * (Group.DimX >> 5)) + (Group.IdxX >> 5)), pair = Grid.IdxY;
        if (row >= a.Weights.Rows) return;
        int expert = memory.Ints[(a.Experts >> 2) + pair], values = default(T).Values, units = (a.Weights.Cols + values - 1) / values, source = pair / a.PairsOfRow;
        long first = ((long)expert * a.Weights.Rows) + row, second = row + 1 < a.Weights.Rows ? first + 1 : first;
        GemvArguments x = new(source + 1, a.X, 0, 0, default, default, default);
        GemvSums sums = default;
        for (int unit = Group.IdxX & 31; unit < units; unit += 32)
        {
            Float8 b = FloatGemv<T, OneToken>.Activations(memory, x, source, unit);
            sums.A0 += FloatGemv<T, OneToken>.Dot(default(T).Decode(Lane.Stream16(memory, a.Weights.Quants + (((first * units) + unit) * 16))), b);
            sums.B0 += FloatGemv<T, OneToken>.Dot(default(T).Decode(Lane.Stream16(memory, a.Weights.Quants + (((second * units) + unit) * 16))), b);
        }

        ExpertRows.Store(memory, a, expert, pair, row, sums);
    }
}

/// <summary>What the two share.</summary>
internal static class ExpertRows
{
    /// <summary>Adds the lanes up and writes two rows of a pair.</summary>
    public static void Store(DeviceMemory memory, ExpertArguments a, int expert, int pair, int row, GemvSums sums)
    {
        float first = Lane.WarpSum(sums.A0), second = Lane.WarpSum(sums.B0);
        int lane = Group.IdxX & 31, mine = row + lane;
        if (lane > 1 || mine >= a.Weights.Rows) return;
        float value = lane == 0 ? first : second;
        if (a.Bias >= 0) value += memory.Floats[(a.Bias >> 2) + ((long)expert * a.Weights.Rows) + mine];
        memory.Floats[a.Y.Row(pair) + mine] = value;
    }
}
