using ILGPU;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>Arguments of <see cref="QuantiseActivations"/>.</summary>
internal readonly struct QuantiseArguments(DeviceTensor x, long quants, long scales)
{
    public readonly DeviceTensor X = x;

    /// <summary>Byte offset of [tokens, cols] signed bytes.</summary>
    public readonly long Quants = quants;

    /// <summary>Byte offset of [tokens, cols / 32] pairs of words.</summary>
    public readonly long Scales = scales;
}

/// <summary>
/// Activations as signed bytes, 32 with a scale: <c>x[i] ≈ d · q[i]</c>, d the largest magnitude over 127; and the sums of each half of a block, for formats that take something off.
/// A warp a block: grid (blocks of a row over warps of a group, tokens).
/// Source: Dettmers et al. 2022, arXiv 2208.07339, section 2 (absmax quantisation), here in blocks.
/// </summary>
internal static class QuantiseActivations
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">x, and where to.</param>
    public static void Kernel(DeviceMemory memory, QuantiseArguments a)
    {
        int block = (Grid.IdxX * (Group.DimX >> 5)) + (Group.IdxX >> 5), blocks = a.X.Cols >> 5, lane = Group.IdxX & 31;
        if (block >= blocks) return;
        float value = memory.Floats[a.X.Row(Grid.IdxY) + (block * 32) + lane];
        float most = Lane.WarpMax(IntrinsicMath.Abs(value));
        float scale = most / 127f, inverse = most > 0 ? 127f / most : 0f;
        int q = Lane.Round(value * inverse);
        int sum = q;
        sum += Warp.ShuffleXor(sum, 8);
        sum += Warp.ShuffleXor(sum, 4);
        sum += Warp.ShuffleXor(sum, 2);
        sum += Warp.ShuffleXor(sum, 1);
        int other = Warp.ShuffleXor(sum, 16);
        long place = ((long)Grid.IdxY * blocks) + block;
        memory.Bytes[a.Quants + (place * 32) + lane] = (byte)q;
        if (lane != 0) return;
        memory.Floats[(a.Scales >> 2) + (place * 2)] = scale;
        memory.Ints[(a.Scales >> 2) + (place * 2) + 1] = (sum & 0xffff) | (other << 16);
    }
}
