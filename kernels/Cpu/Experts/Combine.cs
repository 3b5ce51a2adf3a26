namespace Quern.Kernels.Cpu.Experts;

/// <summary><c>y[token] = Σ weight · x[pair]</c> over the token's pairs, in the order of the experts.</summary>
internal static class Combine
{
    /// <summary>Adds the pairs up; see <see cref="Backend.CombineExperts"/>.</summary>
    public static void Run(Tensor x, ExpertRoutes routes, Tensor y)
    {
        for (int token = 0; token < y.Rows; token++) y.Row(token).Clear();
        for (int pair = 0; pair < routes.PairCount; pair++)
        {
            ReadOnlySpan<float> source = x.Row(pair);
            Span<float> target = y.Row(routes.Tokens[pair]);
            float weight = routes.Weights[pair];
            for (int i = 0; i < target.Length; i++) target[i] += weight * source[i];
        }
    }
}
