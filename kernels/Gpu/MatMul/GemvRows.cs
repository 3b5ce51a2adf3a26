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

    /// <summary>Sum of bytes 0…15.</summary>
    public readonly int LowerSum => (Sums << 16) >> 16;

    /// <summary>Sum of bytes 16…31.</summary>
    public readonly int UpperSum => Sums >> 16;
}

/// <summary>Addresses of a token's activations for a piece.</summary>
internal struct ActivationAddress
{
    public ulong A;
    public ulong B;
}

/// <summary>
/// A row of weights as lanes of a warp take it apart: in pieces of 16 bytes and what belongs to them, each lane two pieces that are 32 apart, then those 64 further. Implemented by empty
/// structs, so that a kernel is compiled for each. Pieces up to 63 behind a row may be read, and are not used.
/// </summary>
internal interface IGemvRow
{
    /// <summary>Pieces of a row.</summary>
    int Pieces(DeviceWeights w);

    /// <summary>Where a row begins.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="w">The matrix.</param>
    /// <param name="row">Row, over all matrices of a stack.</param>
    RowAddress At(DeviceMemory memory, DeviceWeights w, long row);

    /// <summary>Reads a piece, early.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="row">Its row.</param>
    /// <param name="piece">Piece of the row.</param>
    /// <param name="ahead">0, or 1 for the piece 32 further.</param>
    RawBlock Read(DeviceMemory memory, RowAddress row, int piece, int ahead);

    /// <summary>Where a token's activations begin.</summary>
    ActivationAddress Activations(DeviceMemory memory, GemvArguments a, int token, int pieces);

    /// <summary>A token's activations for a piece.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="x">Where they begin.</param>
    /// <param name="piece">Piece of the row.</param>
    /// <param name="ahead">0, or 1 for the piece 32 further.</param>
    GemvActivations Read(DeviceMemory memory, ActivationAddress x, int piece, int ahead);

    /// <summary>The product of a piece and activations, over <see cref="Factor"/>.</summary>
    float Dot(RawBlock raw, GemvActivations x);

    /// <summary>What products with the same activations have in common.</summary>
    float Factor(GemvActivations x);
}

/// <summary>A row of a block format and activations in bytes: a piece is a block of 32.</summary>
internal readonly struct BlockRow<T> : IGemvRow
    where T : unmanaged, IBlockFormat
{
    public int Pieces(DeviceWeights w) => w.Blocks;

    public RowAddress At(DeviceMemory memory, DeviceWeights w, long row) => RowAddress.Of<T>(memory, w, row);

    public RawBlock Read(DeviceMemory memory, RowAddress row, int piece, int ahead) => default(T).Read(memory, row, piece, ahead);

    public ActivationAddress Activations(DeviceMemory memory, GemvArguments a, int token, int pieces)
    {
        long place = (long)token * a.Heads.Count * pieces;
        return new ActivationAddress { A = memory.Address + (ulong)(a.Quants + (place * 32)), B = memory.Address + (ulong)(a.Scales + (place * 8)) };
    }

    public GemvActivations Read(DeviceMemory memory, ActivationAddress x, int piece, int ahead)
    {
        ulong place = Lane.Place(x.A, piece, 32) + (1024UL * (uint)ahead);
        Uint2 scale = Lane.Load8(memory, Lane.Place(x.B, piece, 8) + (256UL * (uint)ahead));
        return new GemvActivations
        {
            Low = Lane.Load16(memory, place),
            High = Lane.Load16(memory, place + 16),
            D = Interop.IntAsFloat(scale.X),
            Sums = (int)scale.Y,
        };
    }

    public float Dot(RawBlock raw, GemvActivations x) => default(T).Dot(raw, x);

    public float Factor(GemvActivations x) => x.D * default(T).Factor;
}

/// <summary>A row of floating-point weights and activations in binary32: a piece is 16 bytes of weights.</summary>
internal readonly struct FloatRow<T> : IGemvRow
    where T : unmanaged, IFloatFormat
{
    public int Pieces(DeviceWeights w) => (w.Cols + default(T).Values - 1) / default(T).Values;

    public RowAddress At(DeviceMemory memory, DeviceWeights w, long row) => new() { Quants = memory.Address + (ulong)(w.Quants + (row * Pieces(w) * 16)) };

    public RawBlock Read(DeviceMemory memory, RowAddress row, int piece, int ahead) => new() { A = Lane.Stream16(memory, Lane.Place(row.Quants, piece, 16) + (512UL * (uint)ahead)) };

    public ActivationAddress Activations(DeviceMemory memory, GemvArguments a, int token, int pieces) => new() { A = memory.Address + (ulong)(a.X.Row(token) * 4) };

    public GemvActivations Read(DeviceMemory memory, ActivationAddress x, int piece, int ahead)
    {
        ulong place = Lane.Place(x.A, piece, 4 * (uint)default(T).Values) + (128UL * (uint)default(T).Values * (uint)ahead);
        if (default(T).Values == 4) return new GemvActivations { Low = Lane.Load16(memory, place) };
        return new GemvActivations { Low = Lane.Load16(memory, place), High = Lane.Load16(memory, place + 16) };
    }

    public float Dot(RawBlock raw, GemvActivations activations)
    {
        Float8 w = default(T).Decode(raw.A), x = Float8.OfBits(activations.Low, activations.High);
        float sum = (w.V0 * x.V0) + (w.V1 * x.V1) + (w.V2 * x.V2) + (w.V3 * x.V3);
        if (default(T).Values == 8) sum += (w.V4 * x.V4) + (w.V5 * x.V5) + (w.V6 * x.V6) + (w.V7 * x.V7);
        return sum;
    }

    public float Factor(GemvActivations x) => 1f;
}
