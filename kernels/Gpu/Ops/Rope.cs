using ILGPU;
using ILGPU.Algorithms;

namespace Quern.Kernels.Gpu.Ops;

/// <summary>Arguments of <see cref="Rope.Angles"/>.</summary>
internal readonly struct RopeAnglesArguments(long positions, long revolutions, int pairs, float magnitude, DeviceTensor angles)
{
    /// <summary>Byte offset of the positions, [n].</summary>
    public readonly long Positions = positions;

    /// <summary>Byte offset of revolutions per position, [pairs]: the fraction in units of 2^−64, two words each, the lower first.</summary>
    public readonly long Revolutions = revolutions;
    public readonly int Pairs = pairs;
    public readonly float Magnitude = magnitude;
    public readonly DeviceTensor Angles = angles;
}

/// <summary>Arguments of <see cref="Rope.Turn"/>.</summary>
internal readonly struct RopeArguments(DeviceTensor x, DeviceTensor angles, int headLength, int pairs, bool interleaved)
{
    public readonly DeviceTensor X = x;
    public readonly DeviceTensor Angles = angles;
    public readonly int HeadLength = headLength;
    public readonly int Pairs = pairs;

    /// <summary>1 where neighbours are turned, 0 where halves.</summary>
    public readonly int Interleaved = interleaved ? 1 : 0;

    /// <summary>More heads to be turned by the same angles, or nothing.</summary>
    public DeviceTensor More { get; init; }
}

/// <summary>Rotary encodings. Source: Su et al. 2021, arXiv 2104.09864.</summary>
internal static class Rope
{
    /// <summary>
    /// Cosines and sines of <c>position · frequency</c>. The frequency is a fraction of a revolution in 64 bits: the product wraps where the revolution is full, so that no digit is
    /// lost at large positions. Grid: (pairs over threads, rows).
    /// </summary>
    public static void Angles(DeviceMemory memory, RopeAnglesArguments a)
    {
        int pair = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (pair >= a.Pairs) return;
        ArrayView<uint> words = memory.Words;
        ulong step = words[(a.Revolutions >> 2) + (2 * pair)] | ((ulong)words[(a.Revolutions >> 2) + (2 * pair) + 1] << 32);
        ulong turned = step * words[(a.Positions >> 2) + Grid.IdxY];

        // The upper word as a signed number: half a revolution either way.
        float angle = (int)(uint)(turned >> 32) * 1.4629180793e-9f;
        long row = a.Angles.Row(Grid.IdxY);
        memory.Floats[row + pair] = XMath.Cos(angle) * a.Magnitude;
        memory.Floats[row + a.Pairs + pair] = XMath.Sin(angle) * a.Magnitude;
    }

    /// <summary>Turns the pairs of every head in place, of one tensor or two. Grid: (heads × pairs over threads, rows).</summary>
    public static void Turn(DeviceMemory memory, RopeArguments a) => Item(memory, a, (Grid.IdxX * Group.DimX) + Group.IdxX);

    /// <summary>Turns one pair of the tensor, or behind its heads of the other one.</summary>
    public static void Item(DeviceMemory memory, RopeArguments a, int item)
    {
        int head = item / a.Pairs, heads = (a.X.Cols + a.HeadLength - 1) / a.HeadLength;
        bool isMore = head >= heads;
        Pair(memory, a, isMore ? a.More : a.X, isMore ? head - heads : head, item - (head * a.Pairs));
    }

    /// <summary>Turns one pair of a head, where there is such a head.</summary>
    public static void Pair(DeviceMemory memory, RopeArguments a, DeviceTensor x, int head, int pair)
    {
        int first = (head * a.HeadLength) + (a.Interleaved != 0 ? 2 * pair : pair), second = a.Interleaved != 0 ? first + 1 : first + a.Pairs;
        if (head * a.HeadLength >= x.Cols) return;
        ArrayView<float> floats = memory.Floats;
        long row = x.Row(Grid.IdxY), angles = a.Angles.Row(Grid.IdxY);
        float cos = floats[angles + pair], sin = floats[angles + a.Pairs + pair], u = floats[row + first], v = floats[row + second];
        floats[row + first] = (u * cos) - (v * sin);
        floats[row + second] = (u * sin) + (v * cos);
    }
}
