using ILGPU;
using ILGPU.Algorithms;

namespace Quern.Kernels.Gpu.Selection;

/// <summary>Arguments of <see cref="SelectLargest"/>.</summary>
internal readonly struct LargestArguments(DeviceTensor x, DeviceTensor y, int k, int partLength, int parts, long keys, long sums)
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

    /// <summary>Byte offset of the parts' keys, [n, parts, k] of 64 bits.</summary>
    public readonly long Keys = keys;

    /// <summary>Byte offset of the parts' sums, [n, parts].</summary>
    public readonly long Sums = sums;
}

/// <summary>
/// The k largest values of every row with their columns, and <c>Σ e^(x − max)</c>: a warp selects from a part of a row, inserting what is larger than the k-th so far into a list that lies across
/// its lanes; then a group merges the lists of a row, of which each lane looks at one. Of n values in random order about k (1 + ln n/k) are inserted.
/// Source: Johnson et al. 2017, arXiv 1702.08734, section 4 (selection in registers).
/// </summary>
internal static class SelectLargest
{
    /// <summary>Parts of a row at most: as many lists as the warps of a group merge, one a lane.</summary>
    public const int MostParts = MostWarps * GpuDevice.WarpThreads;

    /// <summary>Columns of a part at least.</summary>
    public const int LeastPartLength = 256;

    private const int MostWarps = 32, MostKeys = 64;

    /// <summary>The parts of a row. Grid: (parts over the warps of a group, n).</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="a">Values, and where to.</param>
    public static void Parts(DeviceMemory memory, LargestArguments a)
    {
        int lane = Group.IdxX % GpuDevice.WarpThreads, row = Grid.IdxY;
        int part = ((Grid.IdxX * Group.DimX) + Group.IdxX) / GpuDevice.WarpThreads;
        if (part >= a.Parts) return;
        ArrayView<float> floats = memory.Floats;
        int first = part * a.PartLength, end = IntrinsicMath.Min(first + a.PartLength, a.X.Cols);
        long x = a.X.Row(row), place = ((long)row * a.Parts) + part;
        LargestKeys largest = new(a.K);
        for (int col = first; col < end; col += GpuDevice.WarpThreads)
            largest.Take(col + lane < end ? LargestKeys.Key(floats[x + col + lane], col + lane) : 0UL);
        largest.Store(memory.Keys, (a.Keys >> 3) + (place * a.K));
        float top = LargestKeys.Value(largest.Largest), sum = 0;
        for (int col = first + lane; col < end; col += GpuDevice.WarpThreads) sum += Weight(floats[x + col], top);
        sum = Lane.WarpSum(sum);
        if (lane == 0) floats[(a.Sums >> 2) + place] = sum;
    }

    /// <summary>Merges the parts of a row. Grid: (1, n); a warp for every 32 parts, or fewer warps.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="a">What <see cref="Parts"/> was given.</param>
    public static void Merge(DeviceMemory memory, LargestArguments a)
    {
        ArrayView<ulong> shared = SharedMemory.Allocate<ulong>(MostWarps * MostKeys), keys = memory.Keys;
        int lane = Group.IdxX % GpuDevice.WarpThreads, warp = Group.IdxX / GpuDevice.WarpThreads, warps = Group.DimX / GpuDevice.WarpThreads, row = Grid.IdxY;
        long place = (long)row * a.Parts;
        ArrayView<ulong> lists = keys.SubView((a.Keys >> 3) + (place * a.K), (long)a.Parts * a.K);
        LargestKeys largest = new(a.K);
        for (int first = Group.IdxX - lane; first < a.Parts; first += Group.DimX) largest.TakeLists(lists, first, a.Parts);
        if (warps > 1)
        {
            largest.Store(shared, warp * a.K);
            Group.Barrier();
            if (warp == 0)
            {
                largest = new LargestKeys(a.K);
                largest.TakeLists(shared, 0, warps);
            }
        }

        if (warp != 0) return;
        float top = LargestKeys.Value(largest.Largest), sum = 0;
        ArrayView<float> floats = memory.Floats;
        for (int part = lane; part < a.Parts; part += GpuDevice.WarpThreads)
            sum += floats[(a.Sums >> 2) + place + part] * Weight(LargestKeys.Value(lists[(long)part * a.K]), top);
        sum = Lane.WarpSum(sum);
        long y = a.Y.Row(row);
        if (lane == 0) floats[y] = sum;
        largest.Store(floats, y + 1);
    }

    // A part may be −∞ all over.
    private static float Weight(float x, float top) => x == top ? 1f : XMath.Exp(x - top);
}
