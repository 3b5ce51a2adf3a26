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
                int at = batch.Positions[run.FirstRow + i];
                int[] seen = [.. Seen(batch, run, i, options)];
                for (int head = 0; head < options.Heads; head++)
                {
                    int kvHead = head / (options.Heads / shape.Heads);
                    Span<float> query = queries.Row(run.FirstRow + i).Slice(head * shape.KeyLength, shape.KeyLength);
                    double[] weights = new double[seen.Length];
                    for (int j = 0; j < seen.Length; j++)
                    {
                        double score = Dot(query, own.Key(batch, run, layer, seen[j], kvHead)) * options.Scale;
                        if (options.SoftCap != 0) score = options.SoftCap * Math.Tanh(score / options.SoftCap);
                        // Without a prefix, the last of what is seen is the query's own.
                        int distance = options.OverPrefix ? seen[j] - at : j - seen.Length + 1;
                        weights[j] = score - (Slope(options, head) * Math.Abs(distance)) + RelativeBias(options, head, distance);
                    }

                    // A sink is one more score, whose weight is then left out.
                    if (options.Sinks is { } sinks) weights = [.. weights, sinks.AsSpan()[head]];
                    Softmax(weights);
                    Span<float> result = y.Row(run.FirstRow + i).Slice(head * shape.ValueLength, shape.ValueLength);
                    for (int j = 0; j < shape.ValueLength; j++)
                    {
                        double sum = 0;
                        for (int k = 0; k < seen.Length; k++) sum += weights[k] * own.Value(batch, run, layer, seen[k], kvHead)[j];
                        result[j] = (float)sum;
                    }
                }
            }
        }
    }

    // The slots that a token sees, in the order of their text; without a prefix and a window, all of it that comes before the token, and itself.
    private static IEnumerable<int> Seen(Batch batch, SequenceRun run, int token, AttentionOptions options)
    {
        if (options.OverPrefix) return Enumerable.Range(0, run.Prefix);
        int slot = run.FirstSlot + token;
        IEnumerable<int> seen = run.TreeSlot == SequenceRun.NoTree
            ? Enumerable.Range(run.Prefix, slot - run.Prefix + 1)
            : [.. Enumerable.Range(0, run.TreeSlot), .. Enumerable.Range(run.TreeSlot, slot - run.TreeSlot + 1).Where(other => ((batch.Seen[run.FirstRow + token] >> (other - run.TreeSlot)) & 1) == 1)];
        return options.Window == 0 ? seen : seen.TakeLast(options.Window);
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
