namespace Quern.Kernels.Cpu.Ops;

/// <summary><c>y[i, h · apart' + j] = x[i, h · apart + j]</c> for j below a length: parts of heads, that lie differently far apart.</summary>
internal readonly unsafe struct HeadCopy(Tensor x, int apart, int heads, int length, Tensor y, int apartInY) : ITeamJob
{
    private readonly Tensor _x = x;
    private readonly int _apart = apart;
    private readonly int _heads = heads;
    private readonly int _length = length;
    private readonly Tensor _y = y;
    private readonly int _apartInY = apartInY;

    public void Run(int from, int to, int worker)
    {
        for (int row = from; row < to; row++)
        {
            float* x = (float*)_x.Address + ((nint)row * _x.Stride), y = (float*)_y.Address + ((nint)row * _y.Stride);
            for (int head = 0; head < _heads; head++, x += _apart, y += _apartInY) new ReadOnlySpan<float>(x, _length).CopyTo(new Span<float>(y, _length));
        }
    }
}
