using System.Numerics;
using Quern.Trainer.Products;

namespace Quern.Trainer.Operations;

/// <summary>
/// Rotary positions on neighbouring values, as the llama architecture of GGUF has them: pair i of a head is turned by <c>position · b^(−2i/d)</c>. The
/// gradient is turned back. Source: Su et al. 2021, arXiv 2104.09864.
/// </summary>
internal sealed unsafe class Rope<T> : IDisposable
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly Values<T> _angles;
    private readonly int _pairs;

    /// <param name="headLength">Values in a head.</param>
    /// <param name="frequencyBase">b.</param>
    /// <param name="context">Positions to prepare.</param>
    public Rope(int headLength, double frequencyBase, int context)
    {
        _pairs = headLength / 2;
        _angles = new Values<T>((long)context * headLength);
        for (int position = 0; position < context; position++)
            for (int i = 0; i < _pairs; i++)
            {
                // The frequency is rounded to binary32 as the engine's tables have it.
                double angle = position * (double)(float)Math.Pow(frequencyBase, -2.0 * i / headLength);
                T* pair = Pair(position) + (2 * i);
                (pair[0], pair[1]) = (T.CreateChecked(Math.Cos(angle)), T.CreateChecked(Math.Sin(angle)));
            }
    }

    /// <summary>Turns the heads of one token in place; the other way round where <paramref name="back"/> is true.</summary>
    public void Turn(T* heads, int count, int position, bool back)
    {
        T* angles = Pair(position);
        for (int head = 0; head < count; head++, heads += 2 * _pairs)
            for (int i = 0; i < 2 * _pairs; i += 2)
            {
                T cos = angles[i], sin = back ? -angles[i + 1] : angles[i + 1], a = heads[i], b = heads[i + 1];
                heads[i] = (a * cos) - (b * sin);
                heads[i + 1] = (a * sin) + (b * cos);
            }
    }

    public void Dispose() => _angles.Dispose();

    private T* Pair(int position) => _angles.First + ((nint)position * 2 * _pairs);
}
