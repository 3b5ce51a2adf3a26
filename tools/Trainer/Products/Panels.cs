using System.Numerics;

namespace Quern.Trainer.Products;

/// <summary>
/// A matrix B cut into panels of <see cref="Tile.Cols{T}"/> columns, each dense as [depth, cols] and filled up with zeros, and the product of any A with it on
/// one thread.
/// </summary>
internal static unsafe class Panels
{
    /// <summary>Values of k that are multiplied before the next: a panel of so many rows takes 32 KB. From 128 to 512 no difference was measured.</summary>
    private const int DepthPerPass = 256;

    /// <summary>Number of panels of <paramref name="cols"/> columns.</summary>
    public static int Count<T>(int cols)
        where T : unmanaged => (cols + Tile.Cols<T>() - 1) / Tile.Cols<T>();

    /// <summary>Values that the panels of a [depth, cols] matrix take.</summary>
    public static long Length<T>(int depth, int cols)
        where T : unmanaged => (long)Count<T>(cols) * Tile.Cols<T>() * depth;

    /// <summary>Packs all panels.</summary>
    /// <param name="b">First value of B.</param>
    /// <param name="bRow">Values from row to row of B.</param>
    /// <param name="bCol">Values from column to column of B; 1, or <paramref name="bRow"/> is.</param>
    /// <param name="depth">Rows of B.</param>
    /// <param name="cols">Columns of B.</param>
    /// <param name="panels">Destination, <see cref="Length{T}"/> values.</param>
    public static void Pack<T>(T* b, nint bRow, nint bCol, int depth, int cols, T* panels)
        where T : unmanaged
    {
        for (int panel = 0; panel < Count<T>(cols); panel++) PackOne(panel, b, bRow, bCol, depth, cols, panels);
    }

    /// <summary>Packs one panel; parameters as <see cref="Pack{T}"/>.</summary>
    public static void PackOne<T>(int panel, T* b, nint bRow, nint bCol, int depth, int cols, T* panels)
        where T : unmanaged
    {
        int width = Tile.Cols<T>(), first = panel * width, count = Math.Min(width, cols - first);
        T* target = panels + ((long)first * depth);
        b += first * bCol;
        if (count < width) new Span<T>(target, depth * width).Clear();
        if (bCol == 1)
        {
            for (int k = 0; k < depth; k++) new ReadOnlySpan<T>(b + (k * bRow), count).CopyTo(new Span<T>(target + ((nint)k * width), count));
            return;
        }

        // A transposed matrix: a few rows of the panel at a time, so that a cache line of the source is used whole.
        const int Step = 16;
        for (int from = 0; from < depth; from += Step)
        {
            int to = Math.Min(from + Step, depth);
            for (int j = 0; j < count; j++)
                for (int k = from; k < to; k++) target[((nint)k * width) + j] = b[(j * bCol) + (k * bRow)];
        }
    }

    /// <summary><c>c[i, j] = Σ_k a[i, k] · b[k, j]</c>, or added to c.</summary>
    /// <param name="a">A: [rows, depth] with strides of its own.</param>
    /// <param name="rows">Rows of A and C.</param>
    /// <param name="panels">The first panel to use, moved down to its first row to use.</param>
    /// <param name="panelDepth">Rows that each panel has.</param>
    /// <param name="depth">Rows of the panels to use.</param>
    /// <param name="cols">Columns of C.</param>
    /// <param name="c">C.</param>
    /// <param name="cRow">Values from row to row of C.</param>
    /// <param name="add">Whether C holds something to add to.</param>
    public static void Multiply<T>(Strided<T> a, int rows, T* panels, int panelDepth, int depth, int cols, T* c, nint cRow, bool add)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int width = Tile.Cols<T>();
        T* sums = stackalloc T[Tile.Rows * width];
        for (int k = 0; k < depth; k += DepthPerPass)
        {
            int count = Math.Min(DepthPerPass, depth - k);
            for (int j = 0; j < cols; j += width)
            {
                T* panel = panels + ((long)j * panelDepth) + ((nint)k * width);
                for (int i = 0; i < rows; i += Tile.Rows)
                {
                    int tileRows = Math.Min(Tile.Rows, rows - i);
                    Tile.Multiply(a.First + (i / Tile.Rows * a.Tile) + (k * a.Col), a.Row, a.Col, tileRows, panel, count, sums);
                    Store(sums, c + (i * cRow) + j, cRow, tileRows, Math.Min(width, cols - j), add || k > 0);
                }
            }
        }
    }

    private static void Store<T>(T* sums, T* c, nint cRow, int rows, int cols, bool add)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (int i = 0; i < rows; i++, sums += Tile.Cols<T>(), c += cRow)
        {
            if (add) Rows.Add(sums, cols, c);
            else new ReadOnlySpan<T>(sums, cols).CopyTo(new Span<T>(c, cols));
        }
    }
}

/// <summary>A matrix with any strides, as the left side of a product reads it.</summary>
/// <param name="Address">First value.</param>
/// <param name="Row">Values from row to row inside a tile.</param>
/// <param name="Col">Values from column to column.</param>
/// <param name="Tile">Values from one tile of 8 rows to the next.</param>
internal readonly unsafe record struct Strided<T>(nint Address, nint Row, nint Col, nint Tile)
    where T : unmanaged
{
    public Strided(T* first, nint row, nint col)
        : this((nint)first, row, col, Products.Tile.Rows * row)
    {
    }

    public T* First => (T*)Address;
}
