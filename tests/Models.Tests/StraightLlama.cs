namespace Quern.Models.Tests;

/// <summary>
/// A Llama written straight from the formulas in double precision, with arrays and loops and nothing of the product: the whole sequence at once,
/// every head and score by itself. Source: Touvron et al. 2023, arXiv 2302.13971.
/// </summary>
internal sealed class StraightLlama(TinyModel model)
{
    private const double Epsilon = 1e-5f, RopeBase = 10000;
    private const int Pairs = TinyModel.HeadLength / 2, Group = TinyModel.Heads / TinyModel.KvHeads;

    /// <summary>[tokens, vocabulary].</summary>
    public float[] Logits(int[] tokens)
    {
        double[][] x = [.. tokens.Select(token => Row("token_embd.weight", token, TinyModel.Width))];
        for (int layer = 0; layer < TinyModel.Layers; layer++)
        {
            string prefix = $"blk.{layer}.";
            double[][] attended = Attention(prefix, [.. x.Select(row => Norm(row, prefix + "attn_norm.weight"))]);
            x = [.. x.Zip(attended, Sum)];
            x = [.. x.Select(row => Sum(row, FeedForward(prefix, Norm(row, prefix + "ffn_norm.weight"))))];
        }

        return [.. x.SelectMany(row => Product("output.weight", Norm(row, "output_norm.weight"), TinyModel.Vocabulary)).Select(logit => (float)logit)];
    }

    private double[][] Attention(string prefix, double[][] x)
    {
        double[][] q = [.. x.Select((row, position) => Turn(Product(prefix + "attn_q.weight", row, TinyModel.Heads * TinyModel.HeadLength), position))];
        double[][] k = [.. x.Select((row, position) => Turn(Product(prefix + "attn_k.weight", row, TinyModel.KvHeads * TinyModel.HeadLength), position))];
        double[][] v = [.. x.Select(row => Product(prefix + "attn_v.weight", row, TinyModel.KvHeads * TinyModel.HeadLength))];
        double[][] y = new double[x.Length][];
        for (int token = 0; token < x.Length; token++)
        {
            double[] heads = new double[TinyModel.Heads * TinyModel.HeadLength];
            for (int head = 0; head < TinyModel.Heads; head++)
            {
                int own = head * TinyModel.HeadLength, shared = head / Group * TinyModel.HeadLength;
                double[] weights = new double[token + 1];
                for (int seen = 0; seen <= token; seen++)
                {
                    double score = 0;
                    for (int i = 0; i < TinyModel.HeadLength; i++) score += q[token][own + i] * k[seen][shared + i];
                    weights[seen] = Math.Exp(score / Math.Sqrt(TinyModel.HeadLength));
                }

                double total = weights.Sum();
                for (int seen = 0; seen <= token; seen++)
                    for (int i = 0; i < TinyModel.HeadLength; i++) heads[own + i] += weights[seen] / total * v[seen][shared + i];
            }

            y[token] = Product(prefix + "attn_output.weight", heads, TinyModel.Width);
        }

        return y;
    }

    private double[] FeedForward(string prefix, double[] x)
    {
        double[] gate = Product(prefix + "ffn_gate.weight", x, TinyModel.FeedForward);
        double[] up = Product(prefix + "ffn_up.weight", x, TinyModel.FeedForward);
        return Product(prefix + "ffn_down.weight", [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)], TinyModel.Width);
    }

    private static double[] Turn(double[] x, int position)
    {
        double[] y = [.. x];
        for (int i = 0; i < x.Length / 2; i++)
        {
            double angle = position * Math.Pow(RopeBase, -(double)(i % Pairs) / Pairs);
            y[2 * i] = (x[2 * i] * Math.Cos(angle)) - (x[(2 * i) + 1] * Math.Sin(angle));
            y[(2 * i) + 1] = (x[2 * i] * Math.Sin(angle)) + (x[(2 * i) + 1] * Math.Cos(angle));
        }

        return y;
    }

    private double[] Norm(double[] x, string gain)
    {
        double root = Math.Sqrt(x.Average(value => value * value) + Epsilon);
        return [.. x.Zip(Row(gain, 0, x.Length), (value, g) => value / root * g)];
    }

    private double[] Product(string name, double[] x, int rows) =>
        [.. Enumerable.Range(0, rows).Select(row => Row(name, row, x.Length).Zip(x, (w, value) => w * value).Sum())];

    private double[] Row(string name, int row, int length) =>
        [.. model.Tensors[name].Values.Skip(row * length).Take(length).Select(value => (double)value)];

    private static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (p, q) => p + q)];
}
