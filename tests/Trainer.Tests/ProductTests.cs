using System.Numerics;
using Quern.Trainer.Products;

namespace Quern.Trainer.Tests;

/// <summary>The three products against their sums in double precision, for sizes with every kind of rest.</summary>
public sealed unsafe class ProductTests
{
    public static TheoryData<int, int, int, int> Sizes => new()
    {
        { 1, 1, 1, 1 }, { 7, 5, 3, 2 }, { 8, 32, 16, 2 }, { 9, 33, 17, 1 }, { 70, 65, 300, 3 }, { 300, 40, 24, 2 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Products_are_their_sums_in_binary32(int m, int n, int k, int threads) => Check<float>(m, n, k, threads, 1e-5);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Products_are_their_sums_in_binary64(int m, int n, int k, int threads) => Check<double>(m, n, k, threads, 1e-13);

    private static void Check<T>(int m, int n, int k, int threads, double tolerance)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Random random = new(m + n + k);
        using Crew crew = new(threads);
        using MatrixProduct<T> products = new(crew);
        using Values<T> x = Fill(m * k), w = Fill(n * k), dy = Fill(m * n), y = Fill(m * n), dx = Fill(m * k), dw = Fill(n * k);
        double[] yBefore = Read(y), dwBefore = Read(dw), a = Read(x), b = Read(w), d = Read(dy);

        products.Forward(x.First, w.First, m, n, k, y.First, add: true);
        Near(y, i => yBefore[i] + Sum(k, j => a[(i / n * k) + j] * b[(i % n * k) + j]));
        products.Forward(x.First, w.First, m, n, k, y.First);
        Near(y, i => Sum(k, j => a[(i / n * k) + j] * b[(i % n * k) + j]));
        products.InputGradient(dy.First, w.First, m, n, k, dx.First);
        Near(dx, i => Sum(n, j => d[(i / k * n) + j] * b[(j * k) + (i % k)]));
        products.WeightGradient(dy.First, x.First, m, n, k, dw.First);
        Near(dw, i => dwBefore[i] + Sum(m, j => d[(j * n) + (i / k)] * a[(j * k) + (i % k)]));

        Values<T> Fill(int count)
        {
            Values<T> values = new(count);
            for (int i = 0; i < count; i++) values.First[i] = T.CreateChecked((float)(random.NextDouble() - 0.5));
            return values;
        }

        void Near(Values<T> actual, Func<int, double> expected)
        {
            double[] found = Read(actual);
            for (int i = 0; i < found.Length; i++) Assert.Equal(expected(i), found[i], tolerance * 10);
        }
    }

    private static double[] Read<T>(Values<T> values)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> => [.. values.All.ToArray().Select(value => double.CreateChecked(value))];

    private static double Sum(int count, Func<int, double> term) => Enumerable.Range(0, count).Sum(term);
}
