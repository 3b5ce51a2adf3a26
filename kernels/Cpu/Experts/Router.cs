namespace Quern.Kernels.Cpu.Experts;

/// <summary>
/// Chooses the experts of every token: scores of all experts, the k largest (of equals the lower number), their weights divided by their sum where asked; then a
/// counting sort by expert. Source: Jiang et al. 2024 (Mixtral), arXiv 2401.04088, section 2.1; DeepSeek-AI 2024, arXiv 2412.19437, section 2.1.2 (sigmoid, selection bias).
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
        // Both scores grow with the logit, so that only a bias asks for the scores themselves.
        Span<float> biased = stackalloc float[options.SelectionBias is null ? 0 : logits.Length];
        ReadOnlySpan<float> keys = options.SelectionBias is { } bias ? Biased(logits, options.Score, bias.AsSpan(), biased) : logits;
        for (int i = 0; i < chosen.Length; i++)
        {
            int best = -1;
            for (int e = 0; e < keys.Length; e++)
                if ((best < 0 || keys[e] > keys[best]) && !chosen[..i].Contains(e)) best = e;
            chosen[i] = best;
        }

        (float top, float all) = Softmax(logits);
        float sum = 0;
        for (int i = 0; i < chosen.Length; i++) sum += weights[i] = Score(logits[chosen[i]], options.Score, top, all);
        float factor = options.Normalise ? options.Scale / sum : options.Scale;
        for (int i = 0; i < chosen.Length; i++) weights[i] *= factor;
    }

    private static ReadOnlySpan<float> Biased(ReadOnlySpan<float> logits, RouterScore score, ReadOnlySpan<float> bias, Span<float> keys)
    {
        (float top, float all) = Softmax(logits);
        for (int e = 0; e < keys.Length; e++) keys[e] = Score(logits[e], score, top, all) + bias[e];
        return keys;
    }

    private static float Score(float logit, RouterScore score, float top, float all) =>
        score == RouterScore.Sigmoid ? 1 / (1 + MathF.Exp(-logit)) : MathF.Exp(logit - top) / all;

    /// <summary>The largest logit, and the sum of the exponentials below it.</summary>
    private static (float Top, float Sum) Softmax(ReadOnlySpan<float> logits)
    {
        float top = float.NegativeInfinity, sum = 0;
        foreach (float logit in logits) top = MathF.Max(top, logit);
        foreach (float logit in logits) sum += MathF.Exp(logit - top);
        return (top, sum);
    }
}
