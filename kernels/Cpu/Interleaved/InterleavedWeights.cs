using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Memory;

namespace Quern.Kernels.Cpu.Interleaved;

/// <summary>A weight matrix, or a stack of them, whose rows lie interleaved in memory of its own: <c>[count, groups of 16 rows, blocks]</c>.</summary>
internal sealed unsafe class InterleavedWeights : IDisposable
{
    private const int GroupsPerChunk = 8;
    private readonly NativeBlock _block;

    private InterleavedWeights(InterleavedLayout layout, int count, int rows, int cols)
    {
        (Layout, Rows, Cols, Groups) = (layout, rows, cols, (rows + InterleavedLayout.Rows - 1) / InterleavedLayout.Rows);
        GroupBytes = layout.GroupBytes(cols);
        _block = new NativeBlock(GroupBytes * Groups * count);
        PageAdvice.Huge(_block.Address, _block.Bytes);
    }

    public InterleavedLayout Layout { get; }

    /// <summary>Rows of each matrix.</summary>
    public int Rows { get; }

    /// <summary>Values in a row.</summary>
    public int Cols { get; }

    /// <summary>Groups of each matrix; the last may be filled up with rows of zeros.</summary>
    public int Groups { get; }

    /// <summary>Bytes of a group.</summary>
    public long GroupBytes { get; }

    /// <summary>Whether a product of bytes with them was compared with the exact one.</summary>
    public bool IsCompared { get; set; }

    /// <summary>Bytes of everything.</summary>
    public long Bytes => _block.Bytes;

    /// <summary>The first group of matrix <paramref name="index"/>.</summary>
    public byte* Matrix(int index) => (byte*)_block.Address + (GroupBytes * Groups * index);

    /// <summary>Lays stored rows interleaved, on all threads.</summary>
    /// <param name="team">The threads.</param>
    /// <param name="format">A format that has a layout.</param>
    /// <param name="count">Matrices stacked.</param>
    /// <param name="rows">Rows of each.</param>
    /// <param name="cols">Values in a row.</param>
    /// <param name="address">Stored blocks.</param>
    public static InterleavedWeights Create(ThreadTeam team, WeightFormat format, int count, int rows, int cols, nint address)
    {
        InterleavedLayout layout = format.Interleaved!;
        layout.Prepare();
        InterleavedWeights weights = new(layout, count, rows, cols);
        LayJob job = new(format.InterleaveKernel, (byte*)address, format.Info.RowBytes(cols), rows, cols, weights.Matrix(0), weights.Groups, weights.GroupBytes);
        team.Run(job, checked(weights.Groups * count), GroupsPerChunk);
        return weights;
    }

    public void Dispose() => _block.Dispose();

    private readonly struct LayJob(
        delegate*<byte*, long, int, int, byte*, void> lay, byte* source, long rowBytes, int rows, int cols, byte* target, int groups, long groupBytes) : ITeamJob
    {
        private readonly delegate*<byte*, long, int, int, byte*, void> _lay = lay;
        private readonly byte* _source = source, _target = target;
        private readonly long _rowBytes = rowBytes, _groupBytes = groupBytes;
        private readonly int _rows = rows, _cols = cols, _groups = groups;

        public void Run(int from, int to, int worker)
        {
            for (int i = from; i < to; i++)
            {
                (int matrix, int group) = Math.DivRem(i, _groups);
                int row = group * InterleavedLayout.Rows;
                byte* first = _source + (_rowBytes * (((long)matrix * _rows) + row));
                _lay(first, _rowBytes, Math.Min(InterleavedLayout.Rows, _rows - row), _cols, _target + (_groupBytes * i));
            }
        }
    }
}
