using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Numerics;

namespace Quern.Kernels.Cpu.Recurrent;

/// <summary>
/// <c>h = e^(Δ a) h + Δ b x</c>, <c>y = c · h + d x</c> with N values h for every channel. Parts are sixteen channels, a part's state is <c>[channels, N]</c>.
/// Source: Gu and Dao 2023, arXiv 2312.00752, algorithm 2.
/// </summary>
internal readonly unsafe struct SelectiveScan(Tensor x, Tensor delta, Tensor b, Tensor c, WeightVector a, WeightVector d, Tensor y) : IStateKernel
{
    private const int Channels = 16;
    private readonly Tensor _x = x;
    private readonly Tensor _delta = delta;
    private readonly Tensor _b = b;
    private readonly Tensor _c = c;
    private readonly float* _a = (float*)a.Address;
    private readonly float* _d = (float*)d.Address;
    private readonly Tensor _y = y;

    public int Parts => (_x.Cols + Channels - 1) / Channels;

    public (int First, int Length) Part(int part) => (part * Channels * _b.Cols, Math.Min(Channels, _x.Cols - (part * Channels)) * _b.Cols);

    public void Run(int part, float* state, int row, int count)
    {
        int first = part * Channels, last = Math.Min(first + Channels, _x.Cols), n = _b.Cols;
        for (int t = row; t < row + count; t++)
        {
            float* x = (float*)_x.Address + ((nint)t * _x.Stride), delta = (float*)_delta.Address + ((nint)t * _delta.Stride), y = (float*)_y.Address + ((nint)t * _y.Stride);
            float* b = (float*)_b.Address + ((nint)t * _b.Stride), c = (float*)_c.Address + ((nint)t * _c.Stride);
            for (int channel = first; channel < last; channel++)
                y[channel] = Step(x[channel] * delta[channel], delta[channel], _a + ((nint)channel * n), b, c, n, state + ((channel - first) * n)) + (_d[channel] * x[channel]);
        }
    }

    // c · h, of the new h.
    private static float Step(float x, float delta, float* a, float* b, float* c, int n, float* h)
    {
        Vector512<float> sums = default;
        int i = 0;
        for (; i <= n - 16; i += 16)
        {
            Vector512<float> left = VectorMath.Exp(Vector512.Load(a + i) * delta) * Vector512.Load(h + i);
            Vector512<float> state = Vector512.FusedMultiplyAdd(Vector512.Load(b + i), Vector512.Create(x), left);
            state.Store(h + i);
            sums = Vector512.FusedMultiplyAdd(state, Vector512.Load(c + i), sums);
        }

        float sum = Vector512.Sum(sums);
        for (; i < n; i++)
        {
            h[i] = (MathF.Exp(a[i] * delta) * h[i]) + (b[i] * x);
            sum += h[i] * c[i];
        }

        return sum;
    }
}
