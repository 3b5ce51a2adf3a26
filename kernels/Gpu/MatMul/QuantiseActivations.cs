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
    public readonly QuantisedPlaces Places = places;
    public readonly int Heads = heads;

    /// <summary>Values from a head to the next one.</summary>
    public readonly int Apart = apart;
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
        sum += Warp.ShuffleXor(sum, 8);
        sum += Warp.ShuffleXor(sum, 4);
        sum += Warp.ShuffleXor(sum, 2);
        sum += Warp.ShuffleXor(sum, 1);
        int other = Warp.ShuffleXor(sum, 16);
        memory.Bytes[places.Quants + (block * 32) + lane] = (byte)q;
        if (lane != 0) return;
        memory.Floats[(places.Scales >> 2) + (block * 2)] = scale;
        memory.Ints[(places.Scales >> 2) + (block * 2) + 1] = (sum & 0xffff) | (other << 16);
    }

    /// <summary>Quantises four values of each lane, a block those of eight lanes; all lanes take part, and those that are not there write nothing.</summary>
    public static void Eighth(DeviceMemory memory, QuantisedPlaces places, long block, bool isThere, Four v)
    {
        float most = IntrinsicMath.Max(IntrinsicMath.Max(IntrinsicMath.Abs(v.X), IntrinsicMath.Abs(v.Y)), IntrinsicMath.Max(IntrinsicMath.Abs(v.Z), IntrinsicMath.Abs(v.W)));
        most = IntrinsicMath.Max(most, Warp.ShuffleXor(most, 4));
        most = IntrinsicMath.Max(most, Warp.ShuffleXor(most, 2));
        most = IntrinsicMath.Max(most, Warp.ShuffleXor(most, 1));
        float scale = most / 127f, inverse = most > 0 ? 127f / most : 0f;
        int x = Lane.Round(v.X * inverse), y = Lane.Round(v.Y * inverse), z = Lane.Round(v.Z * inverse), w = Lane.Round(v.W * inverse), sum = x + y + z + w;
        sum += Warp.ShuffleXor(sum, 2);
        sum += Warp.ShuffleXor(sum, 1);
        int other = Warp.ShuffleXor(sum, 4), eighth = Group.IdxX & 7;
        if (!isThere) return;
        memory.Ints[(places.Quants >> 2) + (block * 8) + eighth] = (x & 255) | ((y & 255) << 8) | ((z & 255) << 16) | (w << 24);
        if (eighth != 0) return;
        memory.Floats[(places.Scales >> 2) + (block * 2)] = scale;
        memory.Ints[(places.Scales >> 2) + (block * 2) + 1] = (sum & 0xffff) | (other << 16);
    }
}
