using ILGPU;
using ILGPU.Algorithms;

namespace Quern.Kernels.Gpu.Experts;

/// <summary>Arguments of <see cref="RouteTokens"/>.</summary>
internal readonly struct RouteArguments(DeviceTensor logits, long experts, long weights, long bias, int topK, bool normalise, float scale, bool sigmoid)
{
    public readonly DeviceTensor Logits = logits;

    /// <summary>Byte offset of the chosen experts, [n, TopK].</summary>
    public readonly long Experts = experts;

    /// <summary>Byte offset of their weights, [n, TopK].</summary>
    public readonly long Weights = weights;

    /// <summary>Byte offset of what is added for choosing, [experts], or −1.</summary>
    public readonly long Bias = bias;
    public readonly int TopK = topK;
    public readonly int Normalise = normalise ? 1 : 0;
    public readonly float Scale = scale;
    public readonly int Sigmoid = sigmoid ? 1 : 0;
}

/// <summary>
/// Chooses the experts of every token: scores of all, the k largest (of equals the lower number), their weights divided by their sum where asked. Pairs stay in the order of
/// tokens: pair r is token r / k. A warp a token, a group a warp. Source: Jiang et al. 2024 (Mixtral), arXiv 2401.04088, section 2.1; DeepSeek-AI 2024, arXiv 2412.19437, section 2.1.2.
/// </summary>
internal static class RouteTokens
{
    /// <summary>Most experts of a layer.</summary>
    public const int MostExperts = 1024;

    private const float Taken = -3e38f;

    /// <param name="memory">The arena.</param>
    /// <param name="a">Logits, and where to.</param>
    public static void Kernel(DeviceMemory memory, RouteArguments a)
    {
        ArrayView<float> keys = SharedMemory.Allocate<float>(MostExperts), floats = memory.Floats;
        int lane = Group.IdxX, token = Grid.IdxX, experts = a.Logits.Cols;
        long logits = a.Logits.Row(token), place = (long)token * a.TopK;
        float top = Taken, all = 0, sum = 0;
        for (int e = lane; e < experts; e += GpuDevice.WarpThreads) top = IntrinsicMath.Max(top, floats[logits + e]);
        top = Lane.WarpMax(top);
        for (int e = lane; e < experts; e += GpuDevice.WarpThreads) all += XMath.Exp(floats[logits + e] - top);
        all = Lane.WarpSum(all);
        for (int e = lane; e < experts; e += GpuDevice.WarpThreads)
            keys[e] = a.Bias < 0 ? floats[logits + e] : Score(a.Sigmoid, floats[logits + e], top, all) + floats[(a.Bias >> 2) + e];
        Group.Barrier();
        for (int i = 0; i < a.TopK; i++)
        {
            float best = Taken;
            int chosen = experts;
            for (int e = lane; e < experts; e += GpuDevice.WarpThreads)
            {
                if (keys[e] <= best) continue;
                best = keys[e];
                chosen = e;
            }

            float most = Lane.WarpMax(best);
            int mine = best == most ? chosen : experts;
            mine = IntrinsicMath.Min(mine, Lane.Xor(mine, 16));
            mine = IntrinsicMath.Min(mine, Lane.Xor(mine, 8));
            mine = IntrinsicMath.Min(mine, Lane.Xor(mine, 4));
            mine = IntrinsicMath.Min(mine, Lane.Xor(mine, 2));
            mine = IntrinsicMath.Min(mine, Lane.Xor(mine, 1));

            // Logits that are no numbers choose the first experts.
            if (mine >= experts) mine = i;
            float weight = Score(a.Sigmoid, floats[logits + mine], top, all);
            sum += weight;
            if (lane == 0)
            {
                memory.Ints[(a.Experts >> 2) + place + i] = mine;
                floats[(a.Weights >> 2) + place + i] = weight;
                keys[mine] = Taken;
            }

            Group.Barrier();
        }

        float factor = a.Normalise != 0 ? a.Scale / sum : a.Scale;
        if (lane != 0) return;
        for (int i = 0; i < a.TopK; i++) floats[(a.Weights >> 2) + place + i] *= factor;
    }

    private static float Score(int sigmoid, float logit, float top, float all) => sigmoid != 0 ? 1f / (1f + XMath.Exp(-logit)) : XMath.Exp(logit - top) / all;
}
