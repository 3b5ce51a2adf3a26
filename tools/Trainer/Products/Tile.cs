using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu;

namespace Quern.Trainer.Products;

/// <summary>
/// The inner kernel of all products, a sum of outer products: <c>sums[i, j] = Σ_k a[i, k] · b[k, j]</c> for 8 rows of A and 128 bytes of columns of B. A may have any
/// strides, B is a packed panel, so that one kernel does <c>x Wᵀ</c>, <c>dy W</c> and <c>dyᵀ x</c>. Every output is one accumulator that runs along k.
/// Register tiles: 8 × 2 vectors of 512 bits (16 of 32 registers), 4 × 2 of 256 bits (8 of 16). Source: Goto and van de Geijn 2008, "Anatomy of
/// high-performance matrix multiplication".
/// </summary>
internal static unsafe class Tile
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 8;

    /// <summary>Columns of a tile.</summary>
    public static int Cols<T>()
        where T : unmanaged => 128 / sizeof(T);

    /// <summary>One tile.</summary>
    /// <param name="a">First value of A.</param>
    /// <param name="aRow">Values from row to row of A.</param>
    /// <param name="aCol">Values from column to column of A.</param>
    /// <param name="rows">Rows that exist, 1 to 8; the last one is computed again for those that do not.</param>
    /// <param name="b">[depth, cols], dense.</param>
    /// <param name="depth">Values to add up.</param>
    /// <param name="sums">Destination, [8, cols].</param>
    public static void Multiply<T>(T* a, nint aRow, nint aCol, int rows, T* b, int depth, T* sums)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (Isa.HasAvx512)
        {
            Eight512(a, aRow, aCol, rows, b, depth, sums);
        }
        else if (Isa.HasAvx2)
        {
            for (int i = 0; i < rows; i += 4)
                for (int j = 0; j < Cols<T>(); j += 2 * Vector256<T>.Count)
                    Four256(a + (i * aRow), aRow, aCol, Math.Min(4, rows - i), b + j, depth, sums + (i * Cols<T>()) + j);
        }
        else
        {
            Scalar(a, aRow, aCol, rows, b, depth, sums);
        }
    }

    private static void Scalar<T>(T* a, nint aRow, nint aCol, int rows, T* b, int depth, T* sums)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int cols = Cols<T>();
        new Span<T>(sums, rows * cols).Clear();
        for (int k = 0; k < depth; k++)
            for (int i = 0; i < rows; i++)
            {
                T value = a[(i * aRow) + (k * aCol)];
                for (int j = 0; j < cols; j++) sums[(i * cols) + j] += value * b[(k * cols) + j];
            }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Four256<T>(T* a, nint aRow, nint aCol, int rows, T* b, int depth, T* sums)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int width = Vector256<T>.Count, cols = Cols<T>();
        T* r0 = a, r1 = a + (Math.Min(1, rows - 1) * aRow), r2 = a + (Math.Min(2, rows - 1) * aRow), r3 = a + (Math.Min(3, rows - 1) * aRow);
        Vector256<T> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default;
        nint at = 0;
        for (int k = 0; k < depth; k++, at += aCol, b += cols)
        {
            Vector256<T> low = Vector256.Load(b), high = Vector256.Load(b + width);
            Vector256<T> v = Vector256.Create(r0[at]);
            a0 = Lanes.MultiplyAdd(v, low, a0);
            a1 = Lanes.MultiplyAdd(v, high, a1);
            v = Vector256.Create(r1[at]);
            b0 = Lanes.MultiplyAdd(v, low, b0);
            b1 = Lanes.MultiplyAdd(v, high, b1);
            v = Vector256.Create(r2[at]);
            c0 = Lanes.MultiplyAdd(v, low, c0);
            c1 = Lanes.MultiplyAdd(v, high, c1);
            v = Vector256.Create(r3[at]);
            d0 = Lanes.MultiplyAdd(v, low, d0);
            d1 = Lanes.MultiplyAdd(v, high, d1);
        }

        a0.Store(sums);
        a1.Store(sums + width);
        b0.Store(sums + cols);
        b1.Store(sums + cols + width);
        c0.Store(sums + (2 * cols));
        c1.Store(sums + (2 * cols) + width);
        d0.Store(sums + (3 * cols));
        d1.Store(sums + (3 * cols) + width);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Eight512<T>(T* a, nint aRow, nint aCol, int rows, T* b, int depth, T* sums)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int width = Vector512<T>.Count;
        T* r0 = a, r1 = a + (Math.Min(1, rows - 1) * aRow), r2 = a + (Math.Min(2, rows - 1) * aRow), r3 = a + (Math.Min(3, rows - 1) * aRow);
        T* r4 = a + (Math.Min(4, rows - 1) * aRow), r5 = a + (Math.Min(5, rows - 1) * aRow), r6 = a + (Math.Min(6, rows - 1) * aRow), r7 = a + (Math.Min(7, rows - 1) * aRow);
        Vector512<T> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default;
        Vector512<T> e0 = default, e1 = default, f0 = default, f1 = default, g0 = default, g1 = default, h0 = default, h1 = default;
        nint at = 0;
        for (int k = 0; k < depth; k++, at += aCol, b += 2 * width)
        {
            Vector512<T> low = Vector512.Load(b), high = Vector512.Load(b + width);
            Vector512<T> v = Vector512.Create(r0[at]);
            a0 = Lanes.MultiplyAdd(v, low, a0);
            a1 = Lanes.MultiplyAdd(v, high, a1);
            v = Vector512.Create(r1[at]);
            b0 = Lanes.MultiplyAdd(v, low, b0);
            b1 = Lanes.MultiplyAdd(v, high, b1);
            v = Vector512.Create(r2[at]);
            c0 = Lanes.MultiplyAdd(v, low, c0);
            c1 = Lanes.MultiplyAdd(v, high, c1);
            v = Vector512.Create(r3[at]);
            d0 = Lanes.MultiplyAdd(v, low, d0);
            d1 = Lanes.MultiplyAdd(v, high, d1);
            v = Vector512.Create(r4[at]);
            e0 = Lanes.MultiplyAdd(v, low, e0);
            e1 = Lanes.MultiplyAdd(v, high, e1);
            v = Vector512.Create(r5[at]);
            f0 = Lanes.MultiplyAdd(v, low, f0);
            f1 = Lanes.MultiplyAdd(v, high, f1);
            v = Vector512.Create(r6[at]);
            g0 = Lanes.MultiplyAdd(v, low, g0);
            g1 = Lanes.MultiplyAdd(v, high, g1);
            v = Vector512.Create(r7[at]);
            h0 = Lanes.MultiplyAdd(v, low, h0);
            h1 = Lanes.MultiplyAdd(v, high, h1);
        }

        a0.Store(sums);
        a1.Store(sums + width);
        b0.Store(sums + (2 * width));
        b1.Store(sums + (3 * width));
        c0.Store(sums + (4 * width));
        c1.Store(sums + (5 * width));
        d0.Store(sums + (6 * width));
        d1.Store(sums + (7 * width));
        e0.Store(sums + (8 * width));
        e1.Store(sums + (9 * width));
        f0.Store(sums + (10 * width));
        f1.Store(sums + (11 * width));
        g0.Store(sums + (12 * width));
        g1.Store(sums + (13 * width));
        h0.Store(sums + (14 * width));
        h1.Store(sums + (15 * width));
    }
}
