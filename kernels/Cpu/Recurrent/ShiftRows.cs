namespace Quern.Kernels.Cpu.Recurrent;

/// <summary><c>y[t] = x[t − 1]</c>; the state is the last row. Parts are ranges of columns. Source: Peng et al. 2023, arXiv 2305.13048, section 3.1.1.</summary>
internal readonly unsafe struct ShiftRows(Tensor x, Tensor y) : IStateKernel
{
    private const int PartLength = 1024;
    private readonly Tensor _x = x;
    private readonly Tensor _y = y;

    public int Parts => (_x.Cols + PartLength - 1) / PartLength;

    public (int First, int Length) Part(int part) => (part * PartLength, Math.Min(PartLength, _x.Cols - (part * PartLength)));

    public void Run(int part, float* state, int row, int count)
    {
        (int first, int length) = Part(part);
        Span<float> last = new(state, length);
        for (int i = row; i < row + count; i++)
        {
            Span<float> x = _x.Row(i).Slice(first, length);
            last.CopyTo(_y.Row(i).Slice(first, length));
            x.CopyTo(last);
        }
    }
}
