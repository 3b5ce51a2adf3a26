using ILGPU;
using ILGPU.Algorithms;

namespace Quern.Kernels.Gpu.Selection;

/// <summary>Arguments of <see cref="SelectLargest"/>.</summary>
internal readonly struct LargestArguments(DeviceTensor x, DeviceTensor y, int k, int partLength, int parts, long tops, long sums)
{
    /// <summary>[n, cols].</summary>
    public readonly DeviceTensor X = x;

    /// <summary>[n, at least 1 + 2k]: see <see cref="Quern.Kernels.Cpu.Backend.Largest"/>.</summary>
    public readonly DeviceTensor Y = y;
    public readonly int K = k;

    /// <summary>Columns of a part, a multiple of a warp's threads.</summary>
    public readonly int PartLength = partLength;

    /// <summary>Parts of a row.</summary>
    public readonly int Parts = parts;

    /// <summary>Byte offset of the largest key of each part, [n, parts] of 64 bits.</summary>
    public readonly long Tops = tops;

    /// <summary>Byte offset of the parts' sums, [n, parts].</summary>
    public readonly long Sums = sums;
}

/// <summary>
/// The k largest values of every row with their columns, and <c>Σ e^(x − max)</c>. Values are compared as keys: a value and its column in one integer that is larger for a larger value and, among equal
/// ones, for a lower column, so that no two are equal; 0 is none. First the largest of each part of a row: the k-th largest of these is no more than the k-th largest of all, so that only the k parts
/// that reach it hold what is wanted, and few values of them. A place among them is the number of those that are larger, which every thread counts for its own.
/// Source: Alabi et al. 2012, "Fast k-selection algorithms for graphics processing units" (selection by cutting off what cannot be in it).
/// </summary>
internal static class SelectLargest
{
    /// <summary>Parts of a row at most.</summary>
    public const int MostParts = 1024;

    /// <summary>Columns of a part at least.</summary>
    public const int LeastPartLength = 512;

    private const int MostFound = 2048, MostKeys = 64;

    /// <summary>The largest of each part of a row. Grid: (parts over the warps of a group, n).</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="a">Values, and where to.</param>
    public static void Parts(DeviceMemory memory, LargestArguments a)
    {
        int lane = Group.IdxX % GpuDevice.WarpThreads, row = Grid.IdxY;
        int part = ((Grid.IdxX * Group.DimX) + Group.IdxX) / GpuDevice.WarpThreads;
        if (part >= a.Parts) return;
        ArrayView<float> floats = memory.Floats;
        int first = (part * a.PartLength) + lane, end = IntrinsicMath.Min((part + 1) * a.PartLength, a.X.Cols);
        long x = a.X.Row(row), place = ((long)row * a.Parts) + part;
        ulong top = 0;
        for (int col = first; col < end; col += GpuDevice.WarpThreads) top = IntrinsicMath.Max(top, Key(floats[x + col], col));
        for (int apart = GpuDevice.WarpThreads / 2; apart > 0; apart /= 2) top = IntrinsicMath.Max(top, Lane.Xor(top, apart));
        float most = Value(top), sum = 0;
        for (int col = first; col < end; col += GpuDevice.WarpThreads) sum += Weight(floats[x + col], most);
        sum = Lane.WarpSum(sum);
        if (lane != 0) return;
        memory.Keys[(a.Tops >> 3) + place] = top;
        floats[(a.Sums >> 2) + place] = sum;
    }

    /// <summary>The largest of a row. Grid: (1, n).</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="a">What <see cref="Parts"/> was given.</param>
    public static void Rows(DeviceMemory memory, LargestArguments a)
    {
        ArrayView<ulong> tops = SharedMemory.Allocate<ulong>(MostParts), found = SharedMemory.Allocate<ulong>(MostFound), bounds = SharedMemory.Allocate<ulong>(2);
        ArrayView<int> parts = SharedMemory.Allocate<int>(MostKeys), count = SharedMemory.Allocate<int>(1);
        int row = Grid.IdxY, wanted = IntrinsicMath.Min(a.K, a.Parts);
        long place = (long)row * a.Parts, y = a.Y.Row(row);
        for (int part = Group.IdxX; part < a.Parts; part += Group.DimX) tops[part] = memory.Keys[(a.Tops >> 3) + place + part];
        Group.Barrier();
        for (int part = Group.IdxX; part < a.Parts; part += Group.DimX)
        {
            ulong own = tops[part];
            int rank = Larger(tops, a.Parts, own);
            if (rank < wanted) parts[rank] = part;
            if (rank == 0) bounds[1] = own;

            // With fewer parts than k all of them count.
            if (rank == wanted - 1) bounds[0] = a.Parts < a.K ? 1 : own;
        }

        Group.Barrier();
        ulong low = bounds[0], most = bounds[1], high = most + 1, bound = low;
        int candidates = Collect(memory, a, bound, parts, wanted, count, found);

        // Where many values are that large, the bound goes up until they have a place: above "low" there are too many, from "high" on too few.
        while (candidates > MostFound || candidates < a.K)
        {
            if (candidates > MostFound) low = bound;
            else high = bound;
            bound = low + ((high - low) / 2);
            candidates = Collect(memory, a, bound, parts, wanted, count, found);
        }

        for (int i = Group.IdxX; i < candidates; i += Group.DimX)
        {
            ulong own = found[i];
            int rank = Larger(found, candidates, own);
            if (rank >= a.K) continue;
            memory.Floats[y + 1 + rank] = Value(own);
            memory.Floats[y + 1 + a.K + rank] = Column(own);
        }

        float sum = 0;
        for (int part = Group.IdxX; part < a.Parts; part += Group.DimX) sum += memory.Floats[(a.Sums >> 2) + place + part] * Weight(Value(tops[part]), Value(most));
        sum = GroupReduce.Sum(sum);
        if (Group.IdxX == 0) memory.Floats[y] = sum;
    }

    /// <summary>Collects the keys of some parts that are not below a bound; every thread of the group calls it.</summary>
    /// <returns>How many there are: more than have a place, perhaps.</returns>
    private static int Collect(DeviceMemory memory, LargestArguments a, ulong bound, ArrayView<int> parts, int partCount, ArrayView<int> count, ArrayView<ulong> found)
    {
        Group.Barrier();
        if (Group.IdxX == 0) count[0] = 0;
        Group.Barrier();
        long x = a.X.Row(Grid.IdxY);
        for (int i = Group.IdxX; i < partCount * a.PartLength; i += Group.DimX)
        {
            int part = i / a.PartLength, col = (parts[part] * a.PartLength) + i - (part * a.PartLength);
            if (col >= a.X.Cols) continue;
            ulong key = Key(memory.Floats[x + col], col);
            if (key < bound) continue;
            int at = Atomic.Add(ref count[0], 1);
            if (at < MostFound) found[at] = key;
        }

        Group.Barrier();
        return count[0];
    }

    private static int Larger(ArrayView<ulong> keys, int count, ulong own)
    {
        int larger = 0;
        for (int i = 0; i < count; i++) larger += keys[i] > own ? 1 : 0;
        return larger;
    }

    // The key of a value: NaN is more than +∞, −0 is 0.
    private static ulong Key(float value, int column)
    {
        uint bits = Interop.FloatAsInt(value);
        if ((bits & 0x7fffffff) > 0x7f800000) bits = 0x7fc00000;
        if (bits == 0x80000000) bits = 0;
        uint ascending = (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
        return ((ulong)ascending << 32) | ~(uint)column;
    }

    private static float Value(ulong key)
    {
        uint ascending = (uint)(key >> 32);
        return Interop.IntAsFloat((ascending & 0x80000000) != 0 ? ascending & 0x7fffffff : ~ascending);
    }

    private static int Column(ulong key) => (int)~(uint)key;

    // A part may be −∞ all over.
    private static float Weight(float x, float top) => x == top ? 1f : XMath.Exp(x - top);
}
