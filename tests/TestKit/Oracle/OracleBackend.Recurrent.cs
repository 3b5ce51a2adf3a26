using Quern.Kernels.Cpu;

namespace Quern.TestKit.Oracle;

/// <summary>Operations with a state, token by token.</summary>
public sealed unsafe partial class OracleBackend
{
    public override void Lerp(Tensor x, Tensor z, Tensor weights, Tensor y)
    {
        for (int i = 0; i < x.Rows; i++)
            for (int j = 0; j < x.Cols; j++) y.Row(i)[j] = (float)(x.Row(i)[j] + (((double)z.Row(i)[j] - x.Row(i)[j]) * weights.Row(i)[j]));
    }

    public override void Lerp(Tensor x, Tensor z, WeightVector weights, Tensor y) => Lerp(x, z, new Tensor(weights.Address, x.Rows, x.Cols, 0), y);

    public override void ShiftRows(Tensor x, Batch batch, LayerState state, KvCache cache, Tensor y)
    {
        foreach ((int row, Memory<float> last) in Tokens(batch, state, cache, x.Cols))
        {
            last.Span.CopyTo(y.Row(row));
            x.Row(row).CopyTo(last.Span);
        }
    }

    public override void CausalConvolution(Tensor x, WeightVector weights, WeightVector bias, Batch batch, LayerState state, KvCache cache, Tensor y)
    {
        int taps = weights.Length / x.Cols;
        foreach ((int row, Memory<float> before) in Tokens(batch, state, cache, (taps - 1) * x.Cols))
        {
            float[] rows = [.. before.Span, .. x.Row(row)];
            for (int c = 0; c < x.Cols; c++)
            {
                double sum = bias.AsSpan()[c];
                for (int j = 0; j < taps; j++) sum += (double)weights.AsSpan()[(c * taps) + j] * rows[(j * x.Cols) + c];
                y.Row(row)[c] = (float)sum;
            }

            rows[x.Cols..].CopyTo(before);
        }
    }

    public override void SelectiveScan(Tensor x, Tensor delta, Tensor b, Tensor c, WeightVector a, WeightVector d, Batch batch, LayerState state, KvCache cache, Tensor y)
    {
        int n = b.Cols;
        foreach ((int row, Memory<float> h) in Tokens(batch, state, cache, x.Cols * n))
        {
            for (int channel = 0; channel < x.Cols; channel++)
            {
                double input = x.Row(row)[channel], step = delta.Row(row)[channel], sum = d.AsSpan()[channel] * input;
                for (int i = 0; i < n; i++)
                {
                    ref float value = ref h.Span[(channel * n) + i];
                    value = (float)((Math.Exp(step * a.AsSpan()[(channel * n) + i]) * value) + (step * b.Row(row)[i] * input));
                    sum += (double)c.Row(row)[i] * value;
                }

                y.Row(row)[channel] = (float)sum;
            }
        }
    }

    public override void OuterProductScan(Tensor r, Tensor k, Tensor v, Tensor w, WeightVector u, int headLength, Batch batch, LayerState state, KvCache cache, Tensor y)
    {
        foreach ((int row, Memory<float> s) in Tokens(batch, state, cache, r.Cols * headLength))
        {
            for (int head = 0; head < r.Cols; head += headLength)
            {
                for (int j = head; j < head + headLength; j++)
                {
                    double sum = 0;
                    for (int i = head; i < head + headLength; i++)
                    {
                        ref float value = ref s.Span[(i * headLength) + j - head];
                        double product = (double)k.Row(row)[i] * v.Row(row)[j];
                        sum += r.Row(row)[i] * (value + (u.AsSpan()[i] * product));
                        value = (float)((w.Row(row)[i] * (double)value) + product);
                    }

                    y.Row(row)[j] = (float)sum;
                }
            }
        }
    }

    /// <summary>Every token of a batch, with an operation's state before it.</summary>
    private static IEnumerable<(int Row, Memory<float> State)> Tokens(Batch batch, LayerState operation, KvCache cache, int length)
    {
        foreach (SequenceRun run in batch.Runs.ToArray())
            for (int t = 0; t < run.Count; t++) yield return (run.FirstRow + t, ((OracleKvCache)cache).State(batch, run, operation, length, run.FirstSlot + t));
    }
}
