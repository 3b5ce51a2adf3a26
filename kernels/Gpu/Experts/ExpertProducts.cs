using ILGPU;
using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Experts;

/// <summary>Arguments of <see cref="ExpertProducts{TRow}"/>.</summary>
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
/// <c>y[r] = x[row of r] W[expert of r]ᵀ + bias[expert of r]</c>. A warp computes two rows of a pair's product. Grid: (pairs of rows over warps, routed pairs).
/// </summary>
internal static class ExpertProducts<TRow>
    where TRow : unmanaged, IGemvRow
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Weights, activations, routes.</param>
    [JoinsPieces]
    public static void Kernel(DeviceMemory memory, ExpertArguments a)
    {
        TRow row = default;
        int start = 2 * ((Grid.IdxX * (Group.DimX >> 5)) + (Group.IdxX >> 5)), pair = Grid.IdxY, lane = Group.IdxX & 31;
        if (start >= a.Weights.Rows) return;
        int expert = memory.Ints[(a.Experts >> 2) + pair], pieces = row.Pieces(a.Weights), source = pair / a.PairsOfRow;
        long first = ((long)expert * a.Weights.Rows) + start, second = start + 1 < a.Weights.Rows ? first + 1 : first;
        RowAddress r0 = row.At(memory, a.Weights, first), r1 = row.At(memory, a.Weights, second);
        ActivationAddress x = row.Activations(memory, new GemvArguments(source + 1, a.X, a.Quants, a.Scales, default, default, default, new GemvHeads(1, 0, 0)), source, pieces);
        float one = 0, two = 0;
        for (int piece = lane; piece < pieces; piece += 32)
        {
            RawBlock w0 = row.Read(memory, r0, piece, 0), w1 = row.Read(memory, r1, piece, 0);
            GemvActivations b = row.Read(memory, x, piece, 0);
            one += row.Factor(b) * row.Dot(w0, b);
            two += row.Factor(b) * row.Dot(w1, b);
        }

        one = Lane.WarpSum(one);
        two = Lane.WarpSum(two);
        int mine = start + lane;
        if (lane > 1 || mine >= a.Weights.Rows) return;
        float value = lane == 0 ? one : two;
        if (a.Bias >= 0) value += memory.Floats[(a.Bias >> 2) + ((long)expert * a.Weights.Rows) + mine];
        memory.Floats[a.Y.Row(pair) + mine] = value;
    }
}
