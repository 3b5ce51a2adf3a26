namespace Quern.Kernels.Cpu.Experts;

/// <summary>
/// Chooses the experts of every token: softmax over all experts, the k largest (of equals the lower number), their weights divided by their sum where asked; then a
/// counting sort by expert. Source: Jiang et al. 2024 (Mixtral), arXiv 2401.04088, section 2.1.
/// </summary>
internal static class Router
{
    /// <summary>Fills <paramref name="routes"/>; see <see cref="Backend.Route"/>.</summary>
    public static void Route(Tensor logits, RouteOptions options, ExpertRoutes routes)
    {
        int experts = logits.Cols, k = options.TopK;
        Span<int> starts = routes.Starts;
        starts.Clear();
        Span<int> chosen = stackalloc int[k];
        Span<float> weights = stackalloc float[k];
        for (int token = 0; token < logits.Rows; token++)
        {
            Choose(logits.Row(token), options, chosen, weights);
            foreach (int expert in chosen) starts[expert + 1]++;
        }

        for (int e = 0; e < experts; e++) starts[e + 1] += starts[e];
        for (int token = logits.Rows - 1; token >= 0; token--)
        {
            Choose(logits.Row(token), options, chosen, weights);
            for (int i = k - 1; i >= 0; i--)
            {
                int pair = --starts[chosen[i] + 1];
                routes.Tokens[pair] = token;
                routes.Weights[pair] = weights[i];
            }
        }

        // starts[e + 1] is the first pair of e now: move all one place, the total goes to the end.
        for (int e = 0; e < experts; e++) starts[e] = starts[e + 1];
        starts[experts] = logits.Rows * k;
    }

    private static void Choose(ReadOnlySpan<float> logits, RouteOptions options, Span<int> chosen, Span<float> weights)
    {
        for (int i = 0; i < chosen.Length; i++)
        {
            int best = -1;
            for (int e = 0; e < logits.Length; e++)
                if ((best < 0 || logits[e] > logits[best]) && !chosen[..i].Contains(e)) best = e;
            chosen[i] = best;
        }

        float top = logits[chosen[0]], all = 0, sum = 0;
        foreach (float logit in logits) all += MathF.Exp(logit - top);
        for (int i = 0; i < chosen.Length; i++) sum += weights[i] = MathF.Exp(logits[chosen[i]] - top) / all;
        float factor = options.Normalise ? options.Scale / sum : options.Scale;
        for (int i = 0; i < chosen.Length; i++) weights[i] *= factor;
    }
}
