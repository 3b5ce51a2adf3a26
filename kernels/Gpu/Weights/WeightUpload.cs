using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Gpu.Weights;

/// <summary>Lays the rows of a stored matrix into planes, some megabytes at a time, and copies them to the card.</summary>
internal static unsafe class WeightUpload
{
    private const long ChunkBytes = 16 << 20;
    private const int RowsOfThread = 64;

    /// <summary>Bytes that a matrix takes on the card.</summary>
    public static long Bytes(DeviceFormat layout, long rows, int cols) => layout.Sizes(cols).Total * rows;

    /// <param name="arena">Where to.</param>
    /// <param name="layout">The planes.</param>
    /// <param name="name">The tensor's name.</param>
    /// <param name="format">The stored format.</param>
    /// <param name="count">Matrices stacked.</param>
    /// <param name="rows">Rows of each.</param>
    /// <param name="cols">Values of a row.</param>
    /// <param name="address">Stored blocks.</param>
    public static DeviceMatrix Run(DeviceArena arena, DeviceFormat layout, string name, WeightFormat format, int count, int rows, int cols, nint address)
    {
        PlaneSizes sizes = layout.Sizes(cols);
        long all = (long)count * rows, stored = format.Info.RowBytes(cols);
        nint quants = arena.Take(sizes.Quants * all, name), high = Take(sizes.High), scales = Take(sizes.Scales), super = Take(sizes.Super);
        int chunk = (int)Math.Clamp(ChunkBytes / Math.Max(sizes.Total, 1), 1, all);
        float largest = 0;
        Lock gate = new();
        byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)(sizes.Total * chunk) + 64, 64);
        try
        {
            new Span<byte>(memory, checked((int)(sizes.Total * chunk))).Clear();
            byte* ownHigh = memory + (sizes.Quants * chunk), ownScales = ownHigh + (sizes.High * chunk), ownSuper = ownScales + (sizes.Scales * chunk);
            for (long first = 0; first < all; first += chunk)
            {
                int now = (int)Math.Min(chunk, all - first);
                nint source = address + (nint)(stored * first);
                if (now < RowsOfThread) LayRows((0, now));
                else Parallel.ForEach(Partitioner.Create(0, now, Math.Max(RowsOfThread, now / Environment.ProcessorCount)), (range, _) => LayRows((range.Item1, range.Item2)));

                void LayRows((int From, int To) rows)
                {
                    float own = 0;
                    for (int r = rows.From; r < rows.To; r++)
                    {
                        PlaneRow row = new(memory + (sizes.Quants * r), ownHigh + (sizes.High * r), ownScales + (sizes.Scales * r), ownSuper + (sizes.Super * r));
                        layout.Lay(format, (byte*)source + (stored * r), cols, row);
                        own = Math.Max(own, layout.Largest(cols, row));
                    }

                    lock (gate) largest = Math.Max(largest, own);
                }

                Copy(quants, memory, sizes.Quants, first, now);
                Copy(high, ownHigh, sizes.High, first, now);
                Copy(scales, ownScales, sizes.Scales, first, now);
                Copy(super, ownSuper, sizes.Super, first, now);
            }
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }

        DeviceWeights planes = new(arena.Offset(quants), Offset(high), Offset(scales), Offset(super), rows, cols);
        return new DeviceMatrix(name, format, count, rows, cols, quants, layout, planes) { Factor = Factor(largest) };

        // The power of two that brings the largest weight to 2^14 up to 2^15: none is too large for binary16, and small ones keep their digits. Powers that are no numbers any more come of no scales that mean something.
        static float Factor(float largest) => largest > 0 ? MathF.ScaleB(1, Math.Clamp(14 - MathF.ILogB(largest), -100, 100)) : 1;

        nint Take(long bytes) => bytes == 0 ? 0 : arena.Take(bytes * all, name);
        long Offset(nint plane) => plane == 0 ? 0 : arena.Offset(plane);
        void Copy(nint plane, byte* source, long bytes, long row, int rowCount)
        {
            if (bytes != 0) arena.Write(plane + (nint)(bytes * row), new ReadOnlySpan<byte>(source, checked((int)(bytes * rowCount))));
        }
    }
}
