using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.Ops;

/// <summary><c>y[i] = x[rows[i]]</c>, decoded from <paramref name="decode"/>'s blocks: rows of binary32 values are blocks of one value.</summary>
internal readonly unsafe struct RowCopy(byte* source, long rowBytes, long blocks, delegate*<byte*, long, float*, void> decode, int* rows, Tensor y) : ITeamJob
{
    private readonly byte* _source = source;
    private readonly long _rowBytes = rowBytes;
    private readonly long _blocks = blocks;
    private readonly delegate*<byte*, long, float*, void> _decode = decode;
    private readonly int* _rows = rows;
    private readonly Tensor _y = y;

    /// <summary>Rows of a stored matrix.</summary>
    public static void FromMatrix(ThreadTeam team, WeightMatrix matrix, ReadOnlySpan<int> rows, Tensor y)
    {
        fixed (int* index = rows)
            team.Run(new RowCopy((byte*)matrix.Address, matrix.RowBytes, matrix.Cols / matrix.Format.Info.BlockLength, matrix.Format.DecodeKernel, index, y), rows.Length, 16);
    }

    /// <summary>Rows of a tensor.</summary>
    public static void FromTensor(ThreadTeam team, Tensor x, ReadOnlySpan<int> rows, Tensor y)
    {
        fixed (int* index = rows)
            team.Run(new RowCopy((byte*)x.Address, (long)x.Stride * sizeof(float), x.Cols, &F32.Decode, index, y), rows.Length, 16);
    }

    public void Run(int from, int to, int worker)
    {
        for (int i = from; i < to; i++) _decode(_source + (_rows[i] * _rowBytes), _blocks, (float*)_y.Address + ((nint)i * _y.Stride));
    }
}
