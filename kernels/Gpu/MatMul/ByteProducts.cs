using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>Sums of products of codes and activations, both in bytes; each begins with a number, so that what is taken off a code costs nothing.</summary>
internal static class ByteProducts
{
    private const uint Low = 0x0f0f0f0f;

    /// <summary><c>start + Σ q x</c> over values 0…15.</summary>
    public static int Lower(Uint4 q, GemvActivations x, int start) =>
        Lane.Dp4a(q.W, x.Low.W, Lane.Dp4a(q.Z, x.Low.Z, Lane.Dp4a(q.Y, x.Low.Y, Lane.Dp4a(q.X, x.Low.X, start))));

    /// <summary><c>start + Σ q x</c> over values 16…31.</summary>
    public static int Upper(Uint4 q, GemvActivations x, int start) =>
        Lane.Dp4a(q.W, x.High.W, Lane.Dp4a(q.Z, x.High.Z, Lane.Dp4a(q.Y, x.High.Y, Lane.Dp4a(q.X, x.High.X, start))));

    /// <summary><c>Σ q x</c> over all.</summary>
    public static int All(BlockCodes q, GemvActivations x) => Upper(
        new Uint4 { X = q.C4, Y = q.C5, Z = q.C6, W = q.C7 }, x, Lower(new Uint4 { X = q.C0, Y = q.C1, Z = q.C2, W = q.C3 }, x, 0));

    /// <summary><c>16 (start + Σ q x)</c> of nibbles in halves. Codes 16…31 stay where they are, in the upper halves of their bytes: sixteen times as large, and unsigned.</summary>
    public static int Sixteenfold(Uint4 q, GemvActivations x, int start)
    {
        int lower = Lower(new Uint4 { X = q.X & Low, Y = q.Y & Low, Z = q.Z & Low, W = q.W & Low }, x, start);
        return Lane.Dp4aUnsigned(
            q.W & ~Low, x.High.W, Lane.Dp4aUnsigned(q.Z & ~Low, x.High.Z, Lane.Dp4aUnsigned(q.Y & ~Low, x.High.Y, Lane.Dp4aUnsigned(q.X & ~Low, x.High.X, 16 * lower))));
    }
}
