using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime.Cuda;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>Query heads that a group of threads has beside each other: they share what is read of their keys and values.</summary>
internal interface IHeadsTogether
{
    /// <summary>1, 2 or 4.</summary>
    int Count { get; }

    /// <summary>Whether keys may have more than 256 values.</summary>
    bool IsLong { get; }
}

internal readonly struct OneHead : IHeadsTogether
{
    public int Count => 1;

    public bool IsLong => false;
}

internal readonly struct TwoHeads : IHeadsTogether
{
    public int Count => 2;

    public bool IsLong => false;
}

internal readonly struct FourHeads : IHeadsTogether
{
    public int Count => 4;

    public bool IsLong => false;
}

internal readonly struct LongHeads : IHeadsTogether
{
    public int Count => 4;

    public bool IsLong => true;
}

/// <summary>A number of each head.</summary>
internal struct PerHead
{
    public float H0;
    public float H1;
    public float H2;
    public float H3;
}

/// <summary>A number of each head and of each of a lane's four steps: see <see cref="PagedAttention{TKeys, TValues, THeads}"/>.</summary>
internal struct PerStep
{
    public PerHead S0;
    public PerHead S1;
    public PerHead S2;
    public PerHead S3;
}

/// <summary>
/// What a lane knows of a softmax under way: the largest score, the sum of the weights <c>e^(score − largest)</c>, and the sums of eight values weighed so.
/// Source: Milakov and Gimelshein 2018, arXiv 1805.02867.
/// </summary>
internal struct HeadState
{
    /// <summary>A score that is below all others and can be subtracted.</summary>
    public const float Nothing = -1e30f;

    public float Most;
    public float Total;
    public Float8 Sum;

    public static HeadState Empty => new() { Most = Nothing };

    /// <summary>Raises the largest score.</summary>
    public void Raise(float most)
    {
        float fade = XMath.Exp(Most - most);
        Total *= fade;
        Sum.V0 *= fade;
        Sum.V1 *= fade;
        Sum.V2 *= fade;
        Sum.V3 *= fade;
        Sum.V4 *= fade;
        Sum.V5 *= fade;
        Sum.V6 *= fade;
        Sum.V7 *= fade;
        Most = most;
    }

    /// <summary>The weight of a score; 0 of one that is not seen.</summary>
    public readonly float Weight(float score) => score <= Nothing ? 0f : XMath.Exp(score - Most);

    /// <summary>Adds eight values.</summary>
    public void Add(float weight, Float8 v)
    {
        Sum.V0 += weight * v.V0;
        Sum.V1 += weight * v.V1;
        Sum.V2 += weight * v.V2;
        Sum.V3 += weight * v.V3;
        Sum.V4 += weight * v.V4;
        Sum.V5 += weight * v.V5;
        Sum.V6 += weight * v.V6;
        Sum.V7 += weight * v.V7;
    }
}

/// <summary>
/// Exchanges between the lanes that share a token's row: <c>wide</c> of them, 4, 8, 16 or 32, beside each other. Where threads are simulated shuffles are slow, and shared memory, 512 values of a warp,
/// takes their place.
/// </summary>
internal static class LaneExchange<THeads>
    where THeads : unmanaged, IHeadsTogether
{
    /// <summary>Values of shared memory for a warp.</summary>
    public const int ScratchLength = 512;

    /// <summary>Which step's sum a lane gets from <see cref="Sum"/>.</summary>
    public static int Step(int laneBits) => (Group.IdxX >> (laneBits - 2)) & 3;

    /// <summary>Sums over the lanes of a token: of the first step in the first quarter of them, and so on.</summary>
    public static PerHead Sum(PerStep p, int wide, ArrayView<float> scratch, int place)
    {
        if (!CudaAsm.IsSupported) return SumByMemory(p, wide, scratch, place);
        bool isUpper = (Group.IdxX & (wide >> 1)) != 0, isOdd = (Group.IdxX & (wide >> 2)) != 0;
        PerHead sum = Halve(Halve(p.S0, p.S2, isUpper, wide >> 1), Halve(p.S1, p.S3, isUpper, wide >> 1), isOdd, wide >> 2);
        for (int apart = wide >> 3; apart > 0; apart >>= 1)
        {
            sum.H0 += Lane.Xor(sum.H0, apart);
            if (default(THeads).Count > 1) sum.H1 += Lane.Xor(sum.H1, apart);
            if (default(THeads).Count > 2) sum.H2 += Lane.Xor(sum.H2, apart);
            if (default(THeads).Count > 2) sum.H3 += Lane.Xor(sum.H3, apart);
        }

        return sum;
    }

    /// <summary>The largest of the four steps.</summary>
    public static PerHead Most(PerHead v, int wide, ArrayView<float> scratch, int place)
    {
        if (!CudaAsm.IsSupported)
        {
            PerStep all = Share(v, wide, scratch, place);
            return Larger(Larger(all.S0, all.S1), Larger(all.S2, all.S3));
        }

        v = Larger(v, Other(v, wide >> 1));
        return Larger(v, Other(v, wide >> 2));
    }

    /// <summary>What the lanes of each step have.</summary>
    public static PerStep Share(PerHead v, int wide, ArrayView<float> scratch, int place)
    {
        int first = Group.IdxX & 31 & -wide, apart = wide >> 2;
        if (!CudaAsm.IsSupported)
        {
            int own = place + (Group.IdxX & 31);
            (scratch[own], scratch[own + 32], scratch[own + 64], scratch[own + 96]) = (v.H0, v.H1, v.H2, v.H3);
            Lane.Barrier();
            PerStep all = new() { S0 = At(scratch, place + first), S1 = At(scratch, place + first + apart), S2 = At(scratch, place + first + (2 * apart)), S3 = At(scratch, place + first + (3 * apart)) };
            Lane.Barrier();
            return all;
        }

        return new PerStep { S0 = From(v, first), S1 = From(v, first + apart), S2 = From(v, first + (2 * apart)), S3 = From(v, first + (3 * apart)) };
    }

    private static PerHead SumByMemory(PerStep p, int wide, ArrayView<float> scratch, int place)
    {
        int own = place + (Group.IdxX & 31), first = place + (Group.IdxX & 31 & -wide) + (128 * ((Group.IdxX & (wide - 1)) / (wide >> 2)));
        (scratch[own], scratch[own + 32], scratch[own + 64], scratch[own + 96]) = (p.S0.H0, p.S0.H1, p.S0.H2, p.S0.H3);
        (scratch[own + 128], scratch[own + 160], scratch[own + 192], scratch[own + 224]) = (p.S1.H0, p.S1.H1, p.S1.H2, p.S1.H3);
        (scratch[own + 256], scratch[own + 288], scratch[own + 320], scratch[own + 352]) = (p.S2.H0, p.S2.H1, p.S2.H2, p.S2.H3);
        (scratch[own + 384], scratch[own + 416], scratch[own + 448], scratch[own + 480]) = (p.S3.H0, p.S3.H1, p.S3.H2, p.S3.H3);
        Lane.Barrier();
        PerHead sum = default;
        for (int i = first; i < first + wide; i++)
        {
            PerHead one = At(scratch, i);
            sum.H0 += one.H0;
            sum.H1 += one.H1;
            sum.H2 += one.H2;
            sum.H3 += one.H3;
        }

        Lane.Barrier();
        return sum;
    }

    private static PerHead At(ArrayView<float> scratch, int place) => new() { H0 = scratch[place], H1 = scratch[place + 32], H2 = scratch[place + 64], H3 = scratch[place + 96] };

    // Keeps one of two and adds the same of the lane that keeps it too.
    private static PerHead Halve(PerHead a, PerHead b, bool keepsSecond, int apart)
    {
        PerHead sum = default;
        sum.H0 = Halve(a.H0, b.H0, keepsSecond, apart);
        if (default(THeads).Count > 1) sum.H1 = Halve(a.H1, b.H1, keepsSecond, apart);
        if (default(THeads).Count > 2) sum.H2 = Halve(a.H2, b.H2, keepsSecond, apart);
        if (default(THeads).Count > 2) sum.H3 = Halve(a.H3, b.H3, keepsSecond, apart);
        return sum;
    }

    private static float Halve(float a, float b, bool keepsSecond, int apart) => (keepsSecond ? b : a) + Lane.Xor(keepsSecond ? a : b, apart);

    private static PerHead Other(PerHead v, int apart)
    {
        PerHead other = default;
        other.H0 = Lane.Xor(v.H0, apart);
        if (default(THeads).Count > 1) other.H1 = Lane.Xor(v.H1, apart);
        if (default(THeads).Count > 2) other.H2 = Lane.Xor(v.H2, apart);
        if (default(THeads).Count > 2) other.H3 = Lane.Xor(v.H3, apart);
        return other;
    }

    private static PerHead From(PerHead v, int lane)
    {
        PerHead other = default;
        other.H0 = Lane.Of(v.H0, lane);
        if (default(THeads).Count > 1) other.H1 = Lane.Of(v.H1, lane);
        if (default(THeads).Count > 2) other.H2 = Lane.Of(v.H2, lane);
        if (default(THeads).Count > 2) other.H3 = Lane.Of(v.H3, lane);
        return other;
    }

    private static PerHead Larger(PerHead a, PerHead b) => new()
    {
        H0 = IntrinsicMath.Max(a.H0, b.H0),
        H1 = IntrinsicMath.Max(a.H1, b.H1),
        H2 = IntrinsicMath.Max(a.H2, b.H2),
        H3 = IntrinsicMath.Max(a.H3, b.H3),
    };
}
