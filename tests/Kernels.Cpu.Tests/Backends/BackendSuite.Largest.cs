using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace Quern.Kernels.Cpu.Tests.Backends;

/// <summary>The largest values of rows, against a sort.</summary>
public abstract partial class BackendSuite
{
    // Few values, so that many are equal, with all that is no number.
    private static readonly float[] Special = [float.NegativeInfinity, -0f, 0f, 1.5f, -1e-42f, 1e-42f, float.MinValue, float.PositiveInfinity, float.NaN, -float.NaN];

    /// <summary>Whether so many are selected of so many; back ends that simulate other machines leave most out.</summary>
    protected virtual bool TakesLargest(int k, int cols) => true;

    [Property(MaxTest = 8)]
    public void TheLargestValuesOfRows(PositiveInt k, PositiveInt cols, PositiveInt seed, bool hasTies) =>
        Check(seed.Get, ComputeMode.Exact, pair =>
        {
            int many = (k.Get % Backend.MostLargest) + 1, width = many + (cols.Get % 300);
            if (!TakesLargest(many, width)) (many, width) = (2, 30);
            Random random = new(seed.Get);
            AssertLargest(pair, many, width, () => hasTies ? Special[random.Next(random.Next(2, Special.Length + 1))] : (random.NextSingle() * 40) - 20);
        });

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 270)]
    [InlineData(2, 30)]
    [InlineData(33, 40)]
    [InlineData(64, 64)]
    [InlineData(40, 700)]
    public void TheLargestValuesOfRowsThatAscendOrAreEqual(int k, int cols) => Check(k, ComputeMode.Exact, pair =>
    {
        if (!TakesLargest(k, cols)) return;
        float next = -3;
        AssertLargest(pair, k, cols, () => next += 0.01f);
        AssertLargest(pair, k, cols, () => -7);
        AssertLargest(pair, k, cols, () => float.NegativeInfinity);
    });

    private static void AssertLargest(BackendPair pair, int k, int cols, Func<float> value)
    {
        const int Rows = 2, Padding = 5;

        // What lies behind the columns that are looked at is larger than all of them.
        var x = pair.Empty(Rows, cols + Padding);
        float[] values = [.. Enumerable.Range(0, Rows * (cols + Padding)).Select(i => i % (cols + Padding) < cols ? value() : float.MaxValue)];
        var y = pair.Empty(Rows, (2 * k) + 3);
        foreach ((Backend backend, Tensor source, Tensor target) in new[] { (pair.Tested, x.Tested, y.Tested), ((Backend)pair.Oracle, x.Oracle, y.Oracle) })
        {
            backend.Write(values, source);
            backend.Largest(source.Columns(0, cols), k, target);
        }

        float[] got = pair.Read(y.Tested);
        for (int row = 0; row < Rows; row++)
        {
            ReadOnlySpan<float> expected = y.Oracle.Row(row), own = got.AsSpan(row * expected.Length, expected.Length);
            Assert.Equal(expected.Slice(1, 2 * k).ToArray(), own.Slice(1, 2 * k).ToArray());
            for (int i = 1; i <= k; i++) Assert.False(own[i] == 0 && float.IsNegative(own[i]), "−0 is 0");
            if (float.IsFinite(expected[1])) Assert.InRange(own[0], expected[0] * (1 - Tolerance), expected[0] * (1 + Tolerance));
        }
    }
}
