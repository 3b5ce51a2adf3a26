using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Ops;

/// <summary><c>y = x + (z − x) · weights</c>. Source: Peng et al. 2024, arXiv 2404.05892, equation 1.</summary>
internal readonly unsafe struct Lerp(Tensor x, Tensor z, Tensor weights, Tensor y) : ITeamJob
{
    private readonly Tensor _x = x;
    private readonly Tensor _z = z;
    private readonly Tensor _weights = weights;
    private readonly Tensor _y = y;

    public void Run(int from, int to, int worker)
    {
        for (int row = from; row < to; row++)
        {
            float* x = (float*)_x.Address + ((nint)row * _x.Stride), z = (float*)_z.Address + ((nint)row * _z.Stride);
            float* weights = (float*)_weights.Address + ((nint)row * _weights.Stride), y = (float*)_y.Address + ((nint)row * _y.Stride);
            int i = 0;
            for (; i <= _y.Cols - 16; i += 16)
            {
                Vector512<float> from16 = Vector512.Load(x + i);
                Vector512.FusedMultiplyAdd(Vector512.Load(z + i) - from16, Vector512.Load(weights + i), from16).Store(y + i);
            }

            for (; i < _y.Cols; i++) y[i] = ((z[i] - x[i]) * weights[i]) + x[i];
        }
    }
}
