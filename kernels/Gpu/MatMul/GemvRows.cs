using ILGPU;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>What a lane multiplies with a piece of a row of weights: 32 signed bytes <c>x = D · q</c>, or up to eight binary32 numbers in the words.</summary>
internal struct GemvActivations
{
    /// <summary>Bytes 0…15, or numbers 0…3.</summary>
    public Uint4 Low;

    /// <summary>Bytes 16…31, or numbers 4…7.</summary>
    public Uint4 High;

    /// <summary>Scale of bytes.</summary>
    public float D;

    /// <summary>Sum of the first sixteen bytes in the lower half, of the last in the upper.</summary>
    public int Sums;
}

/// <summary>A row of weights as lanes of a warp take it apart: in pieces of 16 bytes and what belongs to them. Implemented by empty structs, so that a kernel is compiled for each.</summary>
internal interface IGemvRow
{
    /// <summary>Pieces of a row.</summary>
    int Pieces(DeviceWeights w);

    /// <summary>Reads a piece, early.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="w">The matrix.</param>
    /// <param name="place">Pieces before it in the plane: <c>row · pieces + piece</c>.</param>
    RawBlock Read(DeviceMemory memory, DeviceWeights w, long place);

    /// <summary>A token's activations for a piece.</summary>
    GemvActivations Activations(DeviceMemory memory, GemvArguments a, int token, int piece, int pieces);

    /// <summary>The product of a piece and activations.</summary>
    float Dot(RawBlock raw, GemvActivations x, int piece);
}

/// <summary>A row of a block format and activations in bytes: a piece is a block of 32.</summary>
internal readonly struct BlockRow<T> : IGemvRow
    where T : unmanaged, IBlockFormat
{
    public int Pieces(DeviceWeights w) => w.Blocks;

    public RawBlock Read(DeviceMemory memory, DeviceWeights w, long place) => default(T).Read(memory, w, place);

    public GemvActivations Activations(DeviceMemory memory, GemvArguments a, int token, int piece, int pieces)
    {
        long place = ((long)token * pieces) + piece;
        ArrayView<Uint4> bytes = memory.Bytes.Cast<Uint4>();
        ulong scale = memory.Bytes.Cast<ulong>()[(a.Scales >> 3) + place];
        return new GemvActivations { Low = bytes[(a.Quants >> 4) + (place * 2)], High = bytes[(a.Quants >> 4) + (place * 2) + 1], D = Interop.IntAsFloat((uint)scale), Sums = (int)(scale >> 32) };
    }

    public float Dot(RawBlock raw, GemvActivations x, int piece)
    {
        BlockCodes w = default(T).Decode(raw, piece);
        int low = Lane.Dp4a(w.C3, x.Low.W, Lane.Dp4a(w.C2, x.Low.Z, Lane.Dp4a(w.C1, x.Low.Y, Lane.Dp4a(w.C0, x.Low.X, 0))));
        float product;
        if (default(T).HasTwoScales)
        {
            int high = Lane.Dp4a(w.C7, x.High.W, Lane.Dp4a(w.C6, x.High.Z, Lane.Dp4a(w.C5, x.High.Y, Lane.Dp4a(w.C4, x.High.X, 0))));
            product = (w.Scale * low) + (w.UpperScale * high);
        }
        else
        {
            int all = Lane.Dp4a(w.C7, x.High.W, Lane.Dp4a(w.C6, x.High.Z, Lane.Dp4a(w.C5, x.High.Y, Lane.Dp4a(w.C4, x.High.X, low))));
            product = w.Scale * all;
        }

        if (default(T).HasMinimum) product -= w.Minimum * (((x.Sums << 16) >> 16) + (x.Sums >> 16));
        return x.D * product;
    }
}

/// <summary>A row of floating-point weights and activations in binary32: a piece is 16 bytes of weights.</summary>
internal readonly struct FloatRow<T> : IGemvRow
    where T : unmanaged, IFloatFormat
{
    public int Pieces(DeviceWeights w) => (w.Cols + default(T).Values - 1) / default(T).Values;

    public RawBlock Read(DeviceMemory memory, DeviceWeights w, long place) => new() { A = Lane.Stream16(memory, w.Quants + (place * 16)) };

    public GemvActivations Activations(DeviceMemory memory, GemvArguments a, int token, int piece, int pieces)
    {
        ArrayView<Uint4> words = memory.Bytes.Cast<Uint4>();
        long place = a.X.Row(token) >> 2;
        if (default(T).Values == 4) return new GemvActivations { Low = words[place + piece] };
        return new GemvActivations { Low = words[place + (2 * piece)], High = words[place + (2 * piece) + 1] };
    }

    public float Dot(RawBlock raw, GemvActivations activations, int piece)
    {
        Float8 w = default(T).Decode(raw.A), x = Float8.OfBits(activations.Low, activations.High);
        float sum = (w.V0 * x.V0) + (w.V1 * x.V1) + (w.V2 * x.V2) + (w.V3 * x.V3);
        if (default(T).Values == 8) sum += (w.V4 * x.V4) + (w.V5 * x.V5) + (w.V6 * x.V6) + (w.V7 * x.V7);
        return sum;
    }
}
