using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Ops;

/// <summary>
/// <c>y = (x − mean) / √(mean((x − mean)²) + ε) · gain + bias</c> over groups of <c>length</c> values of a row; gain and bias are one group's, or the whole row's.
/// Source: Ba et al. 2016, arXiv 1607.06450.
/// </summary>
internal readonly unsafe struct LayerNorm(Tensor x, int length, WeightVector? gain, WeightVector? bias, float epsilon, Tensor y) : ITeamJob
{
    private readonly Tensor _x = x;
    private readonly int _length = length;
    private readonly float* _gain = gain is null ? null : (float*)gain.Address;
    private readonly float* _bias = bias is null ? null : (float*)bias.Address;
    private readonly bool _whole = (gain ?? bias) is { } weights && weights.Length != length;
    private readonly float _epsilon = epsilon;
    private readonly Tensor _y = y;

    public void Run(int from, int to, int worker)
    {
        for (int row = from; row < to; row++)
        {
            float* x = (float*)_x.Address + ((nint)row * _x.Stride), y = (float*)_y.Address + ((nint)row * _y.Stride);
            for (int group = 0; group < _x.Cols; group += _length) Group(x + group, _whole ? group : 0, y + group);
        }
    }

    private void Group(float* x, int weights, float* y)
    {
        float mean = Sum(x) / _length;
        float scale = 1 / MathF.Sqrt((SquaresAround(x, mean) / _length) + _epsilon);
        float* gain = _gain == null ? null : _gain + weights, bias = _bias == null ? null : _bias + weights;
        int i = 0;
        for (; i <= _length - 16; i += 16)
        {
            Vector512<float> v = (Vector512.Load(x + i) - Vector512.Create(mean)) * Vector512.Create(scale);
            if (gain != null) v *= Vector512.Load(gain + i);
            if (bias != null) v += Vector512.Load(bias + i);
            v.Store(y + i);
        }

        for (; i < _length; i++) y[i] = ((x[i] - mean) * scale * (gain == null ? 1 : gain[i])) + (bias == null ? 0 : bias[i]);
    }

    private float Sum(float* x)
    {
        Vector512<float> sums = default;
        int i = 0;
        for (; i <= _length - 16; i += 16) sums += Vector512.Load(x + i);
        float sum = Vector512.Sum(sums);
        for (; i < _length; i++) sum += x[i];
        return sum;
    }

    private float SquaresAround(float* x, float mean)
    {
        Vector512<float> squares = default;
        int i = 0;
        for (; i <= _length - 16; i += 16)
        {
            Vector512<float> v = Vector512.Load(x + i) - Vector512.Create(mean);
            squares = Vector512.FusedMultiplyAdd(v, v, squares);
        }

        float sum = Vector512.Sum(squares);
        for (; i < _length; i++) sum += (x[i] - mean) * (x[i] - mean);
        return sum;
    }
}
