using System.Numerics;

namespace Quern.Trainer.Products;

/// <summary>
/// The three products of a linear layer <c>y = x Wᵀ</c>, on all threads: B is packed once, then rows of the result are shared out. Each value of a result
/// is summed in one order, whatever the number of threads.
/// </summary>
internal sealed unsafe class MatrixProduct<T>(Crew crew) : IDisposable
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int MostRowsPerBlock = 128;
    private readonly Values<T>?[] _transposed = new Values<T>?[crew.Threads];
    private Values<T>? _panels;

    /// <summary><c>y[m, n] = Σ_k x[m, k] · w[n, k]</c>, or added to y.</summary>
    /// <param name="x">[m, k].</param>
    /// <param name="w">[n, k].</param>
    /// <param name="m">Tokens.</param>
    /// <param name="n">Rows of W.</param>
    /// <param name="k">Columns of W.</param>
    /// <param name="y">[m, n].</param>
    /// <param name="add">Whether y holds something to add to.</param>
    public void Forward(T* x, T* w, int m, int n, int k, T* y, bool add = false) => Run(new Strided<T>(x, k, 1), w, 1, k, m, k, n, y, add);

    /// <summary><c>dx[m, k] = Σ_n dy[m, n] · w[n, k]</c>.</summary>
    public void InputGradient(T* dy, T* w, int m, int n, int k, T* dx) => Run(new Strided<T>(dy, n, 1), w, k, 1, m, n, k, dx, false);

    /// <summary><c>dw[n, k] += Σ_m dy[m, n] · x[m, k]</c>.</summary>
    public void WeightGradient(T* dy, T* x, int m, int n, int k, T* dw) => Run(new Strided<T>(dy, 1, n), x, k, 1, n, m, k, dw, true);

    public void Dispose()
    {
        _panels?.Dispose();
        foreach (Values<T>? block in _transposed) block?.Dispose();
    }

    private void Run(Strided<T> a, T* b, nint bRow, nint bCol, int rows, int depth, int cols, T* c, bool add)
    {
        T* panels = Require(ref _panels, Panels.Length<T>(depth, cols));
        crew.For(Panels.Count<T>(cols), (panel, _) => Panels.PackOne(panel, b, bRow, bCol, depth, cols, panels));

        int perBlock = Math.Clamp(rows / (4 * crew.Threads) & -Tile.Rows, Tile.Rows, MostRowsPerBlock);
        crew.For((rows + perBlock - 1) / perBlock, (block, worker) =>
        {
            int first = block * perBlock, count = Math.Min(perBlock, rows - first);
            Strided<T> own = a.Row == 1 ? Transpose(a, first, count, depth, worker) : new Strided<T>(a.First + (first * a.Row), a.Row, a.Col);
            Panels.Multiply(own, count, panels, depth, depth, cols, c + ((nint)first * cols), cols, add);
        });
    }

    /// <summary>Rows of A that are columns in memory: copied to [tile][k][8], because lines far apart fall into few sets of a cache.</summary>
    private Strided<T> Transpose(Strided<T> a, int first, int count, int depth, int worker)
    {
        int tiles = (count + Tile.Rows - 1) / Tile.Rows;
        T* target = Require(ref _transposed[worker], (long)tiles * Tile.Rows * depth);
        for (int tile = 0; tile < tiles; tile++)
        {
            int rows = Math.Min(Tile.Rows, count - (tile * Tile.Rows));
            T* source = a.First + first + (tile * Tile.Rows), to = target + ((nint)tile * Tile.Rows * depth);
            for (int k = 0; k < depth; k++)
                for (int i = 0; i < rows; i++) to[(k * Tile.Rows) + i] = source[(k * a.Col) + i];
        }

        return new Strided<T>((nint)target, 1, Tile.Rows, (nint)Tile.Rows * depth);
    }

    private static T* Require(ref Values<T>? block, long length)
    {
        if (block is null || block.Length < length)
        {
            block?.Dispose();
            block = new Values<T>(length);
        }

        return block.First;
    }
}
