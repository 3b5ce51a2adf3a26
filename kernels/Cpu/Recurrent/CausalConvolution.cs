using System.Diagnostics;
using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Recurrent;

/// <summary>
/// <c>y[t, c] = bias[c] + Σ_j weights[c, j] · x[t − taps + 1 + j, c]</c>; the state is the last taps − 1 rows. Parts are sixteen channels, a part's state is <c>[taps − 1, channels]</c>.
/// Source: Gu and Dao 2023, arXiv 2312.00752, figure 3.
/// </summary>
internal readonly unsafe struct CausalConvolution(Tensor x, WeightVector weights, WeightVector bias, Tensor y) : IStateKernel
{
    private const int Channels = 16;
    private readonly Tensor _x = x;
    private readonly float* _weights = (float*)weights.Address;
    private readonly float* _bias = (float*)bias.Address;
    private readonly int _taps = weights.Length / x.Cols;
    private readonly Tensor _y = y;

    public int Parts => (_x.Cols + Channels - 1) / Channels;

    public (int First, int Length) Part(int part) => (part * Channels * (_taps - 1), Math.Min(Channels, _x.Cols - (part * Channels)) * (_taps - 1));

    public void Run(int part, float* state, int row, int count)
    {
        Debug.Assert(_taps <= LayerState.MostTaps, "a convolution has few taps");
        int first = part * Channels, channels = Math.Min(Channels, _x.Cols - first), before = _taps - 1;
        Tensor x = _x;
        float* weights = stackalloc float[LayerState.MostTaps * Channels];
        for (int c = 0; c < channels; c++)
            for (int j = 0; j < _taps; j++) weights[(j * Channels) + c] = _weights[((first + c) * _taps) + j];
        for (int t = 0; t < count; t++)
        {
            float* y = (float*)_y.Address + ((nint)(row + t) * _y.Stride) + first;
            if (channels == Channels)
            {
                Vector512<float> sum = Vector512.Load(_bias + first);
                for (int j = 0; j < _taps; j++) sum = Vector512.FusedMultiplyAdd(Vector512.Load(weights + (j * Channels)), Vector512.Load(Source(t - before + j)), sum);
                sum.Store(y);
                continue;
            }

            for (int c = 0; c < channels; c++)
            {
                float sum = _bias[first + c];
                for (int j = 0; j < _taps; j++) sum += weights[(j * Channels) + c] * Source(t - before + j)[c];
                y[c] = sum;
            }
        }

        for (int j = 0; j < before; j++) new ReadOnlySpan<float>(Source(count - before + j), channels).CopyTo(new Span<float>(state + (j * channels), channels));

        float* Source(int t) => t < 0 ? state + ((before + t) * channels) : (float*)x.Address + ((nint)(row + t) * x.Stride) + first;
    }
}
