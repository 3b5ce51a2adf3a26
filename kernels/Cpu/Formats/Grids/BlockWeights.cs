namespace Quern.Kernels.Cpu.Formats.Grids;

/// <summary>The weights with which an encoder counts squared errors in a block.</summary>
internal static class BlockWeights
{
    private const float Floor = 1e-6f;

    /// <summary>
    /// Scales an importance row to mean 1 and lifts what is nearly zero, so that no value is free to become anything. No row, or one
    /// without a positive entry, weighs all values alike.
    /// </summary>
    /// <param name="importance">Empty, or non-negative weights of a block.</param>
    /// <param name="weights">Destination of the block's length.</param>
    public static void Fill(ReadOnlySpan<float> importance, Span<float> weights)
    {
        double sum = 0;
        foreach (float weight in importance) sum += weight;
        double scale = weights.Length / sum;
        if (!(sum > 0) || !double.IsFinite(scale))
        {
            weights.Fill(1);
            return;
        }

        for (int i = 0; i < weights.Length; i++) weights[i] = Math.Max((float)(importance[i] * scale), Floor);
    }
}
