using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime.Cuda;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>
/// What a warp knows of a softmax under way: the largest score, the sum of the weights <c>e^(score − largest)</c>, and the sum of the values weighed so.
/// Source: Milakov and Gimelshein 2018, arXiv 1805.02867.
/// </summary>
internal struct HeadState
{
    /// <summary>A score that is below all others and can be subtracted.</summary>
    public const float Nothing = -1e30f;

    public float Most;
    public float Total;
    public Float8Sum Sum;

    public static HeadState Empty => new() { Most = Nothing };

    /// <summary>Takes in a score a lane, and leaves the lane's weight in shared memory, 32 values from <paramref name="first"/>.</summary>
    public void Weigh(ArrayView<float> weights, int first, float score)
    {
        int place = first + (Group.IdxX & 31);
        float most = CudaAsm.IsSupported ? IntrinsicMath.Max(Most, Lane.WarpMax(score)) : Largest(weights, first, place, score, Most);
        float weight = score <= Nothing ? 0f : XMath.Exp(score - most), fade = XMath.Exp(Most - most);
        weights[place] = weight;
        Total = (Total * fade) + (CudaAsm.IsSupported ? Lane.WarpSum(weight) : All(weights, first));
        Sum.Fade(fade);
        Most = most;
    }

    // Without shuffles, which are slow where threads are simulated: every lane looks at all scores.
    private static float Largest(ArrayView<float> weights, int first, int place, float score, float most)
    {
        weights[place] = score;
        Warp.Barrier();
        for (int i = 0; i < GpuDevice.WarpThreads; i++) most = IntrinsicMath.Max(most, weights[first + i]);
        Warp.Barrier();
        return most;
    }

    private static float All(ArrayView<float> weights, int first)
    {
        Warp.Barrier();
        float sum = 0;
        for (int i = 0; i < GpuDevice.WarpThreads; i++) sum += weights[first + i];
        return sum;
    }

    /// <summary>Takes in what others have found.</summary>
    public void Join(float most, float total, Float8Sum sum)
    {
        float both = IntrinsicMath.Max(Most, most), own = XMath.Exp(Most - both), other = XMath.Exp(most - both);
        Total = (Total * own) + (total * other);
        Sum.Fade(own);
        Sum.V.V0 += sum.V.V0 * other;
        Sum.V.V1 += sum.V.V1 * other;
        Sum.V.V2 += sum.V.V2 * other;
        Sum.V.V3 += sum.V.V3 * other;
        Sum.V.V4 += sum.V.V4 * other;
        Sum.V.V5 += sum.V.V5 * other;
        Sum.V.V6 += sum.V.V6 * other;
        Sum.V.V7 += sum.V.V7 * other;
        Most = both;
    }
}

/// <summary>Eight sums of a lane.</summary>
internal struct Float8Sum
{
    public Float8 V;

    public static Float8Sum Of(ArrayView<float> source, int at) => new()
    {
        V = new Float8
        {
            V0 = source[at],
            V1 = source[at + 1],
            V2 = source[at + 2],
            V3 = source[at + 3],
            V4 = source[at + 4],
            V5 = source[at + 5],
            V6 = source[at + 6],
            V7 = source[at + 7],
        },
    };

    public void Fade(float factor)
    {
        V.V0 *= factor;
        V.V1 *= factor;
        V.V2 *= factor;
        V.V3 *= factor;
        V.V4 *= factor;
        V.V5 *= factor;
        V.V6 *= factor;
        V.V7 *= factor;
    }

    public void Add(float weight, Float8 v)
    {
        V.V0 += weight * v.V0;
        V.V1 += weight * v.V1;
        V.V2 += weight * v.V2;
        V.V3 += weight * v.V3;
        V.V4 += weight * v.V4;
        V.V5 += weight * v.V5;
        V.V6 += weight * v.V6;
        V.V7 += weight * v.V7;
    }

    /// <summary>Adds the sums of the lane that is some lanes apart.</summary>
    public void Join(int apart)
    {
        V.V0 += Warp.ShuffleXor(V.V0, apart);
        V.V1 += Warp.ShuffleXor(V.V1, apart);
        V.V2 += Warp.ShuffleXor(V.V2, apart);
        V.V3 += Warp.ShuffleXor(V.V3, apart);
        V.V4 += Warp.ShuffleXor(V.V4, apart);
        V.V5 += Warp.ShuffleXor(V.V5, apart);
        V.V6 += Warp.ShuffleXor(V.V6, apart);
        V.V7 += Warp.ShuffleXor(V.V7, apart);
    }

    /// <summary>Leaves them in shared memory.</summary>
    public readonly void Put(ArrayView<float> target, int at)
    {
        target[at] = V.V0;
        target[at + 1] = V.V1;
        target[at + 2] = V.V2;
        target[at + 3] = V.V3;
        target[at + 4] = V.V4;
        target[at + 5] = V.V5;
        target[at + 6] = V.V6;
        target[at + 7] = V.V7;
    }

    /// <summary>Writes as many of them, times a factor, as there are.</summary>
    public readonly void Store(ArrayView<float> target, long at, int count, float factor)
    {
        target[at] = V.V0 * factor;
        if (count > 1) target[at + 1] = V.V1 * factor;
        if (count > 2) target[at + 2] = V.V2 * factor;
        if (count > 3) target[at + 3] = V.V3 * factor;
        if (count > 4) target[at + 4] = V.V4 * factor;
        if (count > 5) target[at + 5] = V.V5 * factor;
        if (count > 6) target[at + 6] = V.V6 * factor;
        if (count > 7) target[at + 7] = V.V7 * factor;
    }
}
