using ILGPU;
using Quern.Kernels.Gpu.Ops;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>Where activations go in bytes.</summary>
internal readonly struct QuantisedPlaces(long quants, long scales)
{
    /// <summary>Byte offset of [tokens, cols] signed bytes.</summary>
    public readonly long Quants = quants;

    /// <summary>Byte offset of [tokens, cols / 32] pairs of words: binary32 scale, then two 16-bit sums, of the first and last sixteen bytes of the block.</summary>
    public readonly long Scales = scales;

    /// <summary>1; 0 of the default, which is nowhere.</summary>
    public readonly int Are = 1;
}

/// <summary>Arguments of <see cref="QuantiseActivations"/>.</summary>
internal readonly struct QuantiseArguments(DeviceTensor x, QuantisedPlaces places, int heads, int apart)
{
    /// <summary>The columns of the first head.</summary>
    public readonly DeviceTensor X = x;
    public readonly int Heads = heads;

    /// <summary>Values from a head to the next one.</summary>
    public readonly int Apart = apart;
    public readonly QuantisedPlaces Places = places;
}

/// <summary>
/// Activations as signed bytes, 32 with a scale: <c>x[i] ≈ d · q[i]</c>, d the largest magnitude over 127; and the sums of each half of a block, for formats that take something off.
/// A warp a block: grid (blocks of a head over warps of a group, tokens × heads). Kernels that make activations do the same as they write them (<see cref="Block"/>).
/// Source: Dettmers et al. 2022, arXiv 2208.07339, section 2 (absmax quantisation), here in blocks.
/// </summary>
internal static class QuantiseActivations
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">x, and where to.</param>
    public static void Kernel(DeviceMemory memory, QuantiseArguments a)
    {
        int block = (Grid.IdxX * (Group.DimX >> 5)) + (Group.IdxX >> 5), blocks = a.X.Cols >> 5;
        if (block >= blocks) return;
        float value = memory.Floats[RowCopies.RowOfHead(a.X, a.Heads, a.Apart) + (block * 32) + (Group.IdxX & 31)];
        Block(memory, a.Places, ((long)Grid.IdxY * blocks) + block, value);
    }

    /// <summary>Quantises the values that the lanes of a warp have; all take part.</summary>
    public static void Block(DeviceMemory memory, QuantisedPlaces places, long block, float value)
    {
        int lane = Group.IdxX & 31;
        float most = Lane.WarpMax(IntrinsicMath.Abs(value));
        float scale = most / 127f, inverse = most > 0 ? 127f / most : 0f;
        int q = Lane.Round(value * inverse);
        int sum = q;
        sum += Lane.Xor(sum, 8);
        sum += Lane.Xor(sum, 4);
        sum += Lane.Xor(sum, 2);
        sum += Lane.Xor(sum, 1);
        int other = Lane.Xor(sum, 16);
        memory.Bytes[places.Quants + (block * 32) + lane] = (byte)q;
        if (lane != 0) return;
        memory.Floats[(places.Scales >> 2) + (block * 2)] = scale;
        memory.Ints[(places.Scales >> 2) + (block * 2) + 1] = (sum & 0xffff) | (other << 16);
    }

    /// <summary>The same of four neighbouring values a lane, eight lanes a block; all lanes of the warp take part.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="places">Where to.</param>
    /// <param name="first">Which value of all the first one is.</param>
    /// <param name="v0">The first one.</param>
    /// <param name="v1">The second one.</param>
    /// <param name="v2">The third one.</param>
    /// <param name="v3">The fourth one.</param>
    /// <param name="are">Whether the block is written.</param>
    public static void Four(DeviceMemory memory, QuantisedPlaces places, long first, float v0, float v1, float v2, float v3, bool are)
    {
        float most = IntrinsicMath.Max(IntrinsicMath.Max(IntrinsicMath.Abs(v0), IntrinsicMath.Abs(v1)), IntrinsicMath.Max(IntrinsicMath.Abs(v2), IntrinsicMath.Abs(v3)));
        most = IntrinsicMath.Max(most, Lane.Xor(most, 4));
        most = IntrinsicMath.Max(most, Lane.Xor(most, 2));
        most = IntrinsicMath.Max(most, Lane.Xor(most, 1));
        float scale = most / 127f, inverse = most > 0 ? 127f / most : 0f;
        int q0 = Lane.Round(v0 * inverse), q1 = Lane.Round(v1 * inverse), q2 = Lane.Round(v2 * inverse), q3 = Lane.Round(v3 * inverse), sum = q0 + q1 + q2 + q3;
        sum += Lane.Xor(sum, 2);
        sum += Lane.Xor(sum, 1);
        int other = Lane.Xor(sum, 4);
        if (!are) return;
        memory.Ints[(places.Quants + first) >> 2] = (q0 & 255) | ((q1 & 255) << 8) | ((q2 & 255) << 16) | (q3 << 24);
        if ((Group.IdxX & 7) != 0) return;
        memory.Floats[(places.Scales + (first >> 2)) >> 2] = scale;
        memory.Ints[((places.Scales + (first >> 2)) >> 2) + 1] = (sum & 0xffff) | (other << 16);
    }
}
