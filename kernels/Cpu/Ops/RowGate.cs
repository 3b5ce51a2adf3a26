using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Ops;

/// <summary><c>y[i] = x[i] / (1 + e^−gate[i])</c> for every row i. Source: Qwen team 2024, arXiv 2407.10671, section 2.2.2 (a shared expert's gate).</summary>
internal readonly unsafe struct RowGate(Tensor x, Tensor gate, Tensor y) : ITeamJob
{
    private readonly Tensor _x = x;
    private readonly Tensor _gate = gate;
    private readonly Tensor _y = y;

    public void Run(int from, int to, int worker)
    {
        for (int row = from; row < to; row++)
        {
            float* x = (float*)_x.Address + ((nint)row * _x.Stride), y = (float*)_y.Address + ((nint)row * _y.Stride);
            float factor = 1 / (1 + MathF.Exp(-((float*)_gate.Address)[(nint)row * _gate.Stride]));
            int i = 0;
            for (; i <= _y.Cols - 16; i += 16) (Vector512.Load(x + i) * factor).Store(y + i);
            for (; i < _y.Cols; i++) y[i] = x[i] * factor;
        }
    }
}
