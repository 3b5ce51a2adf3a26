using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Ops;

/// <summary>A function of one or two values, on sixteen at a time.</summary>
internal interface IElementwise
{
    /// <summary>The function, on sixteen values.</summary>
    Vector512<float> Apply(Vector512<float> a, Vector512<float> b);
}

/// <summary><c>y = f(a, b)</c> element by element on rows. What is left of a row goes through the same code in a padded vector, so every value is computed alike.</summary>
internal readonly unsafe struct RowLoop<TFunction>(Tensor a, Tensor b, Tensor y, TFunction function) : ITeamJob
    where TFunction : unmanaged, IElementwise
{
    private const int ValuesPerChunk = 16384;
    private readonly Tensor _a = a;
    private readonly Tensor _b = b;
    private readonly Tensor _y = y;
    private readonly TFunction _function = function;

    /// <summary>Runs over all rows of <paramref name="y"/>.</summary>
    public static void Run(ThreadTeam team, Tensor a, Tensor b, Tensor y, TFunction function) =>
        team.Run(new RowLoop<TFunction>(a, b, y, function), y.Rows, Math.Max(1, ValuesPerChunk / Math.Max(1, y.Cols)));

    public void Run(int from, int to, int worker)
    {
        for (int row = from; row < to; row++)
        {
            float* a = (float*)_a.Address + ((nint)row * _a.Stride);
            float* b = (float*)_b.Address + ((nint)row * _b.Stride);
            float* y = (float*)_y.Address + ((nint)row * _y.Stride);
            int i = 0;
            for (; i <= _y.Cols - 16; i += 16) _function.Apply(Vector512.Load(a + i), Vector512.Load(b + i)).Store(y + i);
            if (i < _y.Cols) Rest(a + i, b + i, _y.Cols - i, y + i);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Rest(float* a, float* b, int count, float* y)
    {
        float* p = stackalloc float[32];
        for (int i = 0; i < count; i++) (p[i], p[16 + i]) = (a[i], b[i]);
        Vector512<float> result = _function.Apply(Vector512.Load(p), Vector512.Load(p + 16));
        for (int i = 0; i < count; i++) y[i] = result.GetElement(i);
    }
}
