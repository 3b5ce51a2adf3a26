using Quern.Kernels.Cpu;

namespace Quern.TestKit.Oracle;

/// <summary>Experts: the best scores of all, ties to the lower number, pairs sorted by expert and then by token.</summary>
public sealed partial class OracleBackend
{
    public override void Route(Tensor logits, RouteOptions options, ExpertRoutes routes)
    {
        double[][] weights = new double[logits.Rows][];
        int[][] chosen = new int[logits.Rows][];
        for (int token = 0; token < logits.Rows; token++)
        {
            double[] all = [.. logits.Row(token).ToArray().Select(value => (double)value)];
            if (options.Score == RouterScore.Softmax) Softmax(all);
            else all = [.. all.Select(value => 1 / (1 + Math.Exp(-value)))];
            chosen[token] = [.. Enumerable.Range(0, all.Length)
                .OrderByDescending(expert => all[expert] + (options.SelectionBias is { } bias ? bias.AsSpan()[expert] : 0)).Take(options.TopK)];
            double sum = options.Normalise ? chosen[token].Sum(expert => all[expert]) : 1;
            weights[token] = [.. all.Select(weight => weight / sum * options.Scale)];
        }

        int pair = 0;
        for (int expert = 0; expert < logits.Cols; expert++)
        {
            routes.Starts[expert] = pair;
            for (int token = 0; token < logits.Rows; token++)
            {
                if (!chosen[token].Contains(expert)) continue;
                routes.Tokens[pair] = token;
                routes.Weights[pair++] = (float)weights[token][expert];
            }
        }

        routes.Starts[logits.Cols] = pair;
    }

    public override void MatMulExperts(Tensor x, bool byToken, WeightMatrix weights, WeightVector? bias, ExpertRoutes routes, Tensor y)
    {
        for (int expert = 0; expert < weights.Count; expert++)
        {
            for (int row = 0; row < weights.Rows; row++)
            {
                float[] w = Decode(weights, expert, row);
                for (int pair = routes.Starts[expert]; pair < routes.Starts[expert + 1]; pair++)
                    y.Row(pair)[row] = (float)(Dot(x.Row(byToken ? routes.Tokens[pair] : pair), w) + (bias is null ? 0 : bias.AsSpan()[(expert * weights.Rows) + row]));
            }
        }
    }

    public override void CombineExperts(Tensor x, ExpertRoutes routes, Tensor y)
    {
        for (int token = 0; token < y.Rows; token++)
        {
            double[] sum = new double[y.Cols];
            for (int pair = 0; pair < routes.PairCount; pair++)
            {
                if (routes.Tokens[pair] != token) continue;
                for (int j = 0; j < sum.Length; j++) sum[j] += (double)routes.Weights[pair] * x.Row(pair)[j];
            }

            for (int j = 0; j < sum.Length; j++) y.Row(token)[j] = (float)sum[j];
        }
    }
}
