using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Tests.Formats;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Interleaved;

/// <summary>Rows of hostile blocks, the same rows interleaved in guarded memory, and what they decode to.</summary>
internal sealed unsafe class InterleavedProbe : IDisposable
{
    private readonly GuardedMemory _source;

    public InterleavedProbe(WeightFormat format, Random random, int rows, int cols, int groups = 1)
    {
        Format = format;
        (Rows, Cols) = (rows, cols);
        int total = ((groups - 1) * InterleavedLayout.Rows) + rows, blocks = cols / format.Info.BlockLength;
        long rowBytes = format.Info.RowBytes(cols);
        _source = new GuardedMemory((int)rowBytes * total);
        FormatProbe.Fill(format, random, _source.Start, blocks * total);
        Weights = new float[total * cols];
        fixed (float* values = Weights) format.DecodeScalar(_source.Start, blocks * total, values);

        // Groups lie one behind the other, so that a stream may begin at each.
        int groupBytes = (int)Layout.GroupBytes(cols);
        Groups = new GuardedMemory(groupBytes * groups);
        Groups.Span.Fill(0xEE);
        for (int g = 0; g < groups; g++)
        {
            int count = g == groups - 1 ? rows : InterleavedLayout.Rows;
            format.InterleaveKernel(_source.Start + (rowBytes * InterleavedLayout.Rows * g), rowBytes, count, cols, Groups.Start + (g * groupBytes));
        }
    }

    /// <summary>Columns of a short row: a block of the format, or of the layout where that is longer.</summary>
    public static int BlockColumns(WeightFormat format) => Math.Max(format.Info.BlockLength, format.Interleaved!.BlockColumns);

    public static TheoryData<string> Formats => FormatProbe.Names(format => format.Interleaved is not null);

    public WeightFormat Format { get; }

    public InterleavedLayout Layout => Format.Interleaved!;

    /// <summary>Rows of the last group.</summary>
    public int Rows { get; }

    public int Cols { get; }

    /// <summary>[all rows, cols].</summary>
    public float[] Weights { get; }

    public GuardedMemory Groups { get; }

    public void Dispose()
    {
        _source.Dispose();
        Groups.Dispose();
    }
}
