using Quern.Kernels.Cpu;

namespace Quern.TestKit.Oracle;

/// <summary>Cache and attention: all scores of a query first, then the softmax, then the mean of the values.</summary>
public sealed partial class OracleBackend
{
    public override void StoreKv(Tensor keys, Tensor values, Batch batch, int layer, KvCache cache)
    {
        OracleKvCache own = (OracleKvCache)cache;
        KvLayer shape = cache.Layout.Layers[layer];
        foreach (SequenceRun run in batch.Runs)
        {
            for (int i = 0; i < run.Count; i++)
            {
                for (int head = 0; head < shape.Heads; head++)
                {
                    Span<float> key = own.Key(batch, run, layer, run.FirstSlot + i, head);
                    Span<float> value = own.Value(batch, run, layer, run.FirstSlot + i, head);
                    OracleKvCache.Stored(cache.Layout.KeyType, keys.Row(run.FirstRow + i).Slice(head * shape.KeyLength, key.Length)).CopyTo(key);
                    OracleKvCache.Stored(cache.Layout.ValueType, values.Row(run.FirstRow + i).Slice(head * shape.ValueLength, value.Length)).CopyTo(value);
                }
            }
        }
    }

    public override void Attention(Tensor queries, Batch batch, int layer, KvCache cache, AttentionOptions options, Tensor y)
    {
        OracleKvCache own = (OracleKvCache)cache;
        KvLayer shape = cache.Layout.Layers[layer];
        foreach (SequenceRun run in batch.Runs)
        {
            for (int i = 0; i < run.Count; i++)
            {
                int at = run.FirstSlot + i;
                int last = options.OverPrefix ? run.Prefix - 1 : at;
                int first = options.OverPrefix ? 0 : Math.Max(run.Prefix, options.Window == 0 ? 0 : at - options.Window + 1);
                for (int head = 0; head < options.Heads; head++)
                {
                    int kvHead = head / (options.Heads / shape.Heads);
                    Span<float> query = queries.Row(run.FirstRow + i).Slice(head * shape.KeyLength, shape.KeyLength);
                    double[] weights = new double[last - first + 1];
                    for (int slot = first; slot <= last; slot++)
                    {
                        double score = Dot(query, own.Key(batch, run, layer, slot, kvHead)) * options.Scale;
                        if (options.SoftCap != 0) score = options.SoftCap * Math.Tanh(score / options.SoftCap);
                        weights[slot - first] = score - (Slope(options, head) * Math.Abs(at - slot)) + RelativeBias(options, head, slot - at);
                    }

                    // A sink is one more score, whose weight is then left out.
                    if (options.Sinks is { } sinks) weights = [.. weights, sinks.AsSpan()[head]];
                    Softmax(weights);
                    Span<float> result = y.Row(run.FirstRow + i).Slice(head * shape.ValueLength, shape.ValueLength);
                    for (int j = 0; j < shape.ValueLength; j++)
                    {
                        double sum = 0;
                        for (int slot = first; slot <= last; slot++) sum += weights[slot - first] * own.Value(batch, run, layer, slot, kvHead)[j];
                        result[j] = (float)sum;
                    }
                }
            }
        }
    }

    private static float RelativeBias(AttentionOptions options, int head, int distance)
    {
        if (options.RelativeBias is not { } biases) return 0;
        int count = biases.Length / options.Heads, reach = count / 2;
        return biases.AsSpan()[(head * count) + reach + Math.Clamp(distance, -reach, reach)];
    }

    // As the reference code of the paper: the slopes of the next lower power of two, and between them those of the next higher one.
    private static double Slope(AttentionOptions options, int head)
    {
        if (options.AlibiMaxBias == 0) return 0;
        int power = 1;
        while (2 * power <= options.Heads) power *= 2;
        double[] slopes = [.. Enumerable.Range(1, power).Select(i => Math.Pow(2, -(double)options.AlibiMaxBias * i / power))];
        double[] finer = [.. Enumerable.Range(1, 2 * power).Select(i => Math.Pow(2, -(double)options.AlibiMaxBias * i / (2 * power)))];
        return head < power ? slopes[head] : finer[2 * (head - power)];
    }

    private static void Softmax(double[] x)
    {
        double max = x.Max();
        for (int i = 0; i < x.Length; i++) x[i] = Math.Exp(x[i] - max);
        double sum = x.Sum();
        for (int i = 0; i < x.Length; i++) x[i] /= sum;
    }
}
