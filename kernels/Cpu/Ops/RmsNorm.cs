using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Ops;

/// <summary>
/// <c>y = x / √(mean(x²) + ε) · gain</c> over groups of <c>length</c> values of a row. Source: Zhang and Sennrich 2019, arXiv 1910.07467.
/// </summary>
internal readonly unsafe struct RmsNorm(Tensor x, float* gain, int length, float epsilon, Tensor y) : ITeamJob
{
    private readonly Tensor _x = x;
    private readonly float* _gain = gain;
    private readonly int _length = length;
    private readonly float _epsilon = epsilon;
    private readonly Tensor _y = y;

    public void Run(int from, int to, int worker)
    {
        for (int row = from; row < to; row++)
        {
            float* x = (float*)_x.Address + ((nint)row * _x.Stride), y = (float*)_y.Address + ((nint)row * _y.Stride);
            for (int group = 0; group < _x.Cols; group += _length) Group(x + group, y + group);
        }
    }

    private void Group(float* x, float* y)
    {
        Vector512<float> squares = default;
        int i = 0;
        for (; i <= _length - 16; i += 16)
        {
            Vector512<float> v = Vector512.Load(x + i);
            squares = Vector512.FusedMultiplyAdd(v, v, squares);
        }

        float sum = Vector512.Sum(squares);
        for (; i < _length; i++) sum += x[i] * x[i];
        float scale = 1 / MathF.Sqrt((sum / _length) + _epsilon);
        i = 0;
        for (; i <= _length - 16; i += 16) (Vector512.Load(x + i) * Vector512.Create(scale) * Vector512.Load(_gain + i)).Store(y + i);
        for (; i < _length; i++) y[i] = x[i] * scale * _gain[i];
    }
}
