using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Recurrent;

/// <summary>
/// <c>y = r (S + diag(u) kᵀv)</c>, <c>S = diag(w) S + kᵀv</c> with a square state S for every head, <c>[head length, head length]</c>. Parts are heads.
/// Source: Peng et al. 2024, arXiv 2404.05892, equations 18 and 19.
/// </summary>
internal readonly unsafe struct OuterProductScan(Tensor r, Tensor k, Tensor v, Tensor w, WeightVector u, int length, Tensor y) : IStateKernel
{
    private readonly Tensor _r = r;
    private readonly Tensor _k = k;
    private readonly Tensor _v = v;
    private readonly Tensor _w = w;
    private readonly float* _u = (float*)u.Address;
    private readonly int _length = length;
    private readonly Tensor _y = y;

    public int Parts => _r.Cols / _length;

    public (int First, int Length) Part(int part) => (part * _length * _length, _length * _length);

    public void Run(int part, float* state, int row, int count)
    {
        int first = part * _length;
        float* u = _u + first;
        for (int t = row; t < row + count; t++)
        {
            float* r = At(_r, t) + first, k = At(_k, t) + first, v = At(_v, t) + first, w = At(_w, t) + first, y = At(_y, t) + first;
            int j = 0;
            for (; j <= _length - 16; j += 16)
            {
                Vector512<float> value = Vector512.Load(v + j), sum = default;
                for (int i = 0; i < _length; i++)
                {
                    float* s = state + (i * _length) + j;
                    Vector512<float> product = value * k[i], before = Vector512.Load(s);
                    sum = Vector512.FusedMultiplyAdd(Vector512.FusedMultiplyAdd(product, Vector512.Create(u[i]), before), Vector512.Create(r[i]), sum);
                    Vector512.FusedMultiplyAdd(before, Vector512.Create(w[i]), product).Store(s);
                }

                sum.Store(y + j);
            }

            for (; j < _length; j++)
            {
                float sum = 0;
                for (int i = 0; i < _length; i++)
                {
                    float* s = state + (i * _length) + j;
                    float product = v[j] * k[i], before = *s;
                    sum += ((product * u[i]) + before) * r[i];
                    *s = (before * w[i]) + product;
                }

                y[j] = sum;
            }
        }
    }

    private static float* At(in Tensor tensor, int row) => (float*)tensor.Address + ((nint)row * tensor.Stride);
}
