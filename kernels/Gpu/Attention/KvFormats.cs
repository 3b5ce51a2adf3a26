using ILGPU;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>How kernels read and write one type of keys or values: see <see cref="KvRows"/>. Implemented by empty structs, so that a kernel is compiled for each.</summary>
internal interface IKvFormat
{
    /// <summary>Eight values of a token's row, as they lie.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="rows">The layer's keys or values.</param>
    /// <param name="head">Byte offset of the head in its page.</param>
    /// <param name="token">Token in the page.</param>
    /// <param name="piece">Which eight.</param>
    KvBits Load(DeviceMemory memory, KvRows rows, long head, int token, int piece);

    /// <summary>Their numbers, still without the scale of their block.</summary>
    Float8 Decode(KvBits bits);

    /// <summary>A factor times the scale of their block.</summary>
    float Scaled(float factor, KvBits bits);

    /// <summary>Writes 32 values, one a lane; all lanes of the warp take part.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="rows">The layer's keys or values.</param>
    /// <param name="head">Byte offset of the head in its page.</param>
    /// <param name="token">Token in the page.</param>
    /// <param name="block">Which 32.</param>
    /// <param name="value">The lane's value, 0 behind the row.</param>
    void Store(DeviceMemory memory, KvRows rows, long head, int token, int block, float value);
}

/// <summary>Eight values as they lie: of types of blocks the codes, and in <c>High.X</c> the block's scale.</summary>
internal struct KvBits
{
    public Uint4 Low;
    public Uint4 High;
}

/// <summary>binary32.</summary>
internal readonly struct KvF32 : IKvFormat
{
    public KvBits Load(DeviceMemory memory, KvRows rows, long head, int token, int piece)
    {
        long place = head + (uint)(32 * piece);
        return new KvBits { Low = Lane.Once16(memory, place, rows.Row(token)), High = Lane.Once16(memory, place + 16, rows.Row(token)) };
    }

    public Float8 Decode(KvBits bits) => Float8.OfBits(bits.Low, bits.High);

    public float Scaled(float factor, KvBits bits) => factor;

    public void Store(DeviceMemory memory, KvRows rows, long head, int token, int block, float value)
    {
        int col = (32 * block) + (Group.IdxX & 31);
        if (col < 8 * rows.Pieces) memory.Floats[(rows.Row(head, token) >> 2) + col] = value;
    }
}

/// <summary>binary16.</summary>
internal readonly struct KvF16 : IKvFormat
{
    public KvBits Load(DeviceMemory memory, KvRows rows, long head, int token, int piece) => new() { Low = Lane.Once16(memory, head + (uint)(16 * piece), rows.Row(token)) };

    public Float8 Decode(KvBits bits) => default(PlainF16).Decode(bits.Low);

    public float Scaled(float factor, KvBits bits) => factor;

    public void Store(DeviceMemory memory, KvRows rows, long head, int token, int block, float value)
    {
        int col = (32 * block) + (Group.IdxX & 31);
        if (col < 8 * rows.Pieces) memory.Halves[(rows.Row(head, token) >> 1) + col] = (ushort)Narrow.ToHalf(value);
    }
}

/// <summary>bfloat16.</summary>
internal readonly struct KvBF16 : IKvFormat
{
    public KvBits Load(DeviceMemory memory, KvRows rows, long head, int token, int piece) => new() { Low = Lane.Once16(memory, head + (uint)(16 * piece), rows.Row(token)) };

    public Float8 Decode(KvBits bits) => default(PlainBF16).Decode(bits.Low);

    public float Scaled(float factor, KvBits bits) => factor;

    public void Store(DeviceMemory memory, KvRows rows, long head, int token, int block, float value)
    {
        int col = (32 * block) + (Group.IdxX & 31);
        if (col < 8 * rows.Pieces) memory.Halves[(rows.Row(head, token) >> 1) + col] = (ushort)Narrow.ToBrain(value);
    }
}

/// <summary>Blocks of 32 signed bytes with a binary16 scale, the largest magnitude over 127. Source: ggml, block_q8_0 in ggml-common.h.</summary>
internal readonly struct KvQ8_0 : IKvFormat
{
    public KvBits Load(DeviceMemory memory, KvRows rows, long head, int token, int piece)
    {
        Uint2 codes = Lane.Once8(memory, head + (uint)(8 * piece), rows.Row(token));
        KvBits bits = default;
        (bits.Low.X, bits.Low.Y, bits.High.X) = (codes.X, codes.Y, Lane.Half(memory, memory.Address + (ulong)rows.Scale(head, token, piece >> 2)));
        return bits;
    }

    public Float8 Decode(KvBits bits)
    {
        uint low = bits.Low.X ^ 0x80808080, high = bits.Low.Y ^ 0x80808080;
        return new Float8
        {
            V0 = Number(low, 0x7440),
            V1 = Number(low, 0x7441),
            V2 = Number(low, 0x7442),
            V3 = Number(low, 0x7443),
            V4 = Number(high, 0x7440),
            V5 = Number(high, 0x7441),
            V6 = Number(high, 0x7442),
            V7 = Number(high, 0x7443),
        };
    }

    public float Scaled(float factor, KvBits bits) => factor * Lane.FromHalf(bits.High.X);

    // A byte as the last bits of 2^23: faster than the conversion of whole numbers.
    private static float Number(uint codes, uint selector) => Interop.IntAsFloat(Lane.Pick(codes, 0x4b000000, selector)) - 8388736f;

    public void Store(DeviceMemory memory, KvRows rows, long head, int token, int block, float value)
    {
        uint stored = Narrow.ToHalf(Lane.WarpMax(IntrinsicMath.Abs(value)) / 127f);
        float scale = Lane.FromHalf(stored);
        int code = scale == 0f ? 0 : IntrinsicMath.Max(-128, IntrinsicMath.Min(127, Lane.Round(value * (1f / scale))));
        int lane = Group.IdxX & 31;
        memory.Bytes[rows.Row(head, token) + (32 * block) + lane] = (byte)code;
        if (lane == 0) memory.Halves[rows.Scale(head, token, block) >> 1] = (ushort)stored;
    }
}

/// <summary>
/// Blocks of 32 codes of 4 bits with a binary16 scale, the value of the largest magnitude over −8; word w of a block has values 8w…8w + 7 from the lowest nibble up.
/// Source: ggml, block_q4_0 in ggml-common.h.
/// </summary>
internal readonly struct KvQ4_0 : IKvFormat
{
    public KvBits Load(DeviceMemory memory, KvRows rows, long head, int token, int piece)
    {
        KvBits bits = default;
        (bits.Low.X, bits.High.X) = (Lane.Word(memory, memory.Address + (ulong)rows.Row(head + (4 * piece), token)), Lane.Half(memory, memory.Address + (ulong)rows.Scale(head, token, piece >> 2)));
        return bits;
    }

    public Float8 Decode(KvBits bits)
    {
        uint codes = bits.Low.X;
        return new Float8
        {
            V0 = Number(codes),
            V1 = Number(codes >> 4),
            V2 = Number(codes >> 8),
            V3 = Number(codes >> 12),
            V4 = Number(codes >> 16),
            V5 = Number(codes >> 20),
            V6 = Number(codes >> 24),
            V7 = Number(codes >> 28),
        };
    }

    public float Scaled(float factor, KvBits bits) => factor * Lane.FromHalf(bits.High.X);

    private static float Number(uint codes) => Interop.IntAsFloat((codes & 15) | 0x4b000000) - 8388616f;

    public void Store(DeviceMemory memory, KvRows rows, long head, int token, int block, float value)
    {
        // The first of the values with the largest magnitude gives the sign.
        int lane = Group.IdxX & 31;
        float most = Lane.WarpMax(IntrinsicMath.Abs(value));
        int owner = IntrinsicMath.Abs(value) == most ? 32 - lane : 0;
        float first = Lane.WarpMax(owner), negative = Lane.WarpMax(owner == (int)first && value < 0f ? 1f : 0f);
        uint stored = Narrow.ToHalf((negative != 0f ? -most : most) / -8f);
        float scale = Lane.FromHalf(stored);
        int code = scale == 0f ? 0 : IntrinsicMath.Max(-8, IntrinsicMath.Min(7, Lane.Round(value * (1f / scale))));
        uint word = (uint)(code + 8) << (4 * (lane & 7));
        word |= Lane.Xor(word, 1);
        word |= Lane.Xor(word, 2);
        word |= Lane.Xor(word, 4);
        if ((lane & 7) == 0) memory.Words[(rows.Row(head, token) >> 2) + (4 * block) + (lane >> 3)] = word;
        if (lane == 0) memory.Halves[rows.Scale(head, token, block) >> 1] = (ushort)stored;
    }
}
