using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Formats.Grids;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Formats.Grids;

/// <summary>The ladder of the point search: an oracle in double precision, plain loops, vectors.</summary>
public sealed unsafe class GridSearchTests
{
    private static readonly GridShape Eight = new(GridTables.Iq2Xs, 512, 8), Four = new(GridTables.Iq3Xxs, 256, 4);
    private static readonly GridShape Signed = new(GridTables.Iq1, 2048, 8, 0.125f) { Signs = SignRule.InPoint };

    [Theory]
    [InlineData(8, false)]
    [InlineData(8, true)]
    [InlineData(4, false)]
    [InlineData(4, true)]
    [InlineData(1, false)]
    public void TheEnvelopeHasANearestPointAtEveryScale(int kind, bool flip)
    {
        GridShape shape = Shape(kind);
        using GuardedMemory memory = new(3 * shape.Count * sizeof(float));
        float* a = (float*)memory.Start, b = a + shape.Count, f = b + shape.Count;
        Random random = new(kind);
        float* x = stackalloc float[8], w = stackalloc float[8];
        PointEnvelope envelope = default;
        for (int trial = 0; trial < 30; trial++)
        {
            float most = Draw(random, shape, x, w) / shape.Largest;
            GridSearch.Correlate(shape, x, w, a, b, flip ? f : null);
            Vector128<float> seeds = Vector128.Create(0.3f, 0.5f, 0.75f, 1.1f) * most;
            GridSearch.Envelop(flip ? f : a, b, 0, shape.Count, seeds, 100 * most, &envelope);
            for (float scale = 0.2f * most; scale < 50 * most; scale *= 1.17f)
            {
                envelope.Lowest(scale, out int line);
                (int index, float lineA, float lineB) = envelope[line];
                Assert.Equal((flip ? f : a)[index], lineA);
                Assert.Equal(b[index], lineB);
                double best = double.MaxValue;
                for (int i = 0; i < shape.Count; i++) best = Math.Min(best, Error(shape, i, x, w, scale, flip));
                double actual = Error(shape, index, x, w, scale, flip);
                Assert.True(actual <= (best * (1 + 1e-4)) + 1e-6, $"scale {scale}: error {actual}, best {best}");
            }
        }
    }

    [Theory]
    [InlineData(8)]
    [InlineData(4)]
    [InlineData(1)]
    public void VectorsGiveTheBitsOfPlainLoops(int kind)
    {
        GridShape shape = Shape(kind);
        int count = shape.Count;
        using GuardedMemory memory = new(6 * count * sizeof(float));
        float* a = (float*)memory.Start, scalar = a + (3 * count);
        Random random = new(3);
        float* x = stackalloc float[8], w = stackalloc float[8], kinks = stackalloc float[5], values = stackalloc float[5];
        for (int trial = 0; trial < 10; trial++)
        {
            Draw(random, shape, x, w);
            GridSearch.Correlate(shape, x, w, a, a + count, a + (2 * count));
            GridSearch.CorrelateScalar(shape, x, w, scalar, scalar + count, scalar + (2 * count));
            Assert.True(new ReadOnlySpan<float>(a, 3 * count).SequenceEqual(new ReadOnlySpan<float>(scalar, 3 * count)));
            Vector128<float> scales = Vector128.Create(random.NextSingle(), random.NextSingle(), random.NextSingle(), 0) / shape.Largest;
            Vector128<int> nearest = GridSearch.NearestScalar(a, a + count, count, scales);
            Assert.Equal(nearest, GridSearch.Nearest(a, a + count, count, scales));
            for (int k = 0; k < 5; k++)
            {
                kinks[k] = scales[k & 3];
                int i = k < 4 ? nearest[k] : random.Next(count);
                values[k] = ((kinks[k] * a[count + i]) - a[i]) * (k < 4 ? 0.9f : 1);
            }

            for (int i = 0; i < count; i += 8)
                Assert.Equal(GridSearch.BelowScalar(a + i, a + count + i, kinks, values, 5), GridSearch.Below(a + i, a + count + i, kinks, values, 5));
        }
    }

    [Fact]
    public void AnEnvelopeKeepsExactlyTheLinesThatAreLowestSomewhere()
    {
        Random random = new(8);
        for (int trial = 0; trial < 200; trial++)
        {
            (float A, float B)[] lines = new (float, float)[random.Next(1, 40)];
            PointEnvelope envelope = default;
            for (int i = 0; i < lines.Length; i++)
            {
                lines[i] = (random.Next(20), 1 + random.Next(20));
                envelope.Add(lines[i].A, lines[i].B, i);
            }

            HashSet<int> used = [];
            for (float scale = 1e-3f; scale < 30; scale += 0.003f)
            {
                float value = envelope.Lowest(scale, out int line);
                Assert.Equal(lines.Min(l => (scale * l.B) - l.A), value);
                Assert.Equal(value, envelope.Lowest(Vector128.Create(scale))[2]);
                Assert.Equal(lines[envelope[line].Index], (envelope[line].A, envelope[line].B));
                used.Add(line);
            }

            Assert.Equal(Enumerable.Range(0, envelope.Count).ToHashSet(), used);
        }
    }

    [Fact]
    public void AnEnvelopeThatIsFullIgnoresFurtherLines()
    {
        PointEnvelope envelope = default;
        for (int i = 1; i <= 2 * PointEnvelope.Capacity; i++) envelope.Add(MathF.Sqrt(i), i, i);
        Assert.Equal(PointEnvelope.Capacity, envelope.Count);
        for (int i = 1; i < envelope.Count; i++) Assert.True(envelope[i].B > envelope[i - 1].B && envelope[i].A > envelope[i - 1].A);
    }

    private static GridShape Shape(int kind) => kind switch { 8 => Eight, 4 => Four, _ => Signed };

    /// <summary>Values and weights as an encoder has them; the largest magnitude is returned.</summary>
    private static float Draw(Random random, GridShape shape, float* x, float* w)
    {
        float most = 1e-6f;
        for (int j = 0; j < shape.Dimension; j++)
        {
            x[j] = Q8Row.Normal(random);
            if (shape.Signs != SignRule.InPoint) x[j] = Math.Abs(x[j]);
            w[j] = (float)Math.Exp(Q8Row.Normal(random));
            most = Math.Max(most, Math.Abs(x[j]));
        }

        return most;
    }

    private static double Error(GridShape shape, int point, float* x, float* w, double scale, bool flip)
    {
        double sum = 0, change = double.MaxValue;
        for (int j = 0; j < shape.Dimension; j++)
        {
            double g = scale * shape.Coordinates[(j * shape.Count) + point];
            sum += w[j] * (x[j] - g) * (x[j] - g);
            change = Math.Min(change, (w[j] * (x[j] + g) * (x[j] + g)) - (w[j] * (x[j] - g) * (x[j] - g)));
        }

        return flip ? sum + change : sum;
    }
}
