using ILGPU;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>How kernels read and write one type of keys or values: see <see cref="KvRows"/>. Implemented by empty structs, so that a kernel is compiled for each.</summary>
internal interface IKvFormat
{
    /// <summary>Eight values of a token's row.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="rows">The layer's keys or values.</param>
    /// <param name="head">Byte offset of the head in its page.</param>
    /// <param name="token">Token in the page.</param>
    /// <param name="piece">Which eight.</param>
    Float8 Load(DeviceMemory memory, KvRows rows, long head, int token, int piece);

    /// <summary>Writes 32 values, one a lane; all lanes of the warp take part.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="rows">The layer's keys or values.</param>
    /// <param name="head">Byte offset of the head in its page.</param>
    /// <param name="token">Token in the page.</param>
    /// <param name="block">Which 32.</param>
    /// <param name="value">The lane's value, 0 behind the row.</param>
    void Store(DeviceMemory memory, KvRows rows, long head, int token, int block, float value);
}

/// <summary>binary32.</summary>
internal readonly struct KvF32 : IKvFormat
{
    public Float8 Load(DeviceMemory memory, KvRows rows, long head, int token, int piece)
    {
        ArrayView<Uint4> words = memory.Bytes.Cast<Uint4>();
        long place = (rows.Row(head, token) >> 4) + (2 * piece);
        return Float8.OfBits(words[place], words[place + 1]);
    }

    public void Store(DeviceMemory memory, KvRows rows, long head, int token, int block, float value)
    {
        int col = (32 * block) + (Group.IdxX & 31);
        if (col < 8 * rows.Pieces) memory.Floats[(rows.Row(head, token) >> 2) + col] = value;
    }
}

/// <summary>binary16.</summary>
internal readonly struct KvF16 : IKvFormat
{
    public Float8 Load(DeviceMemory memory, KvRows rows, long head, int token, int piece) =>
        default(PlainF16).Decode(memory.Bytes.Cast<Uint4>()[(rows.Row(head, token) >> 4) + piece]);

    public void Store(DeviceMemory memory, KvRows rows, long head, int token, int block, float value)
    {
        int col = (32 * block) + (Group.IdxX & 31);
        if (col < 8 * rows.Pieces) memory.Halves[(rows.Row(head, token) >> 1) + col] = (ushort)Narrow.ToHalf(value);
    }
}

/// <summary>bfloat16.</summary>
internal readonly struct KvBF16 : IKvFormat
{
    public Float8 Load(DeviceMemory memory, KvRows rows, long head, int token, int piece) =>
        default(PlainBF16).Decode(memory.Bytes.Cast<Uint4>()[(rows.Row(head, token) >> 4) + piece]);

    public void Store(DeviceMemory memory, KvRows rows, long head, int token, int block, float value)
    {
        int col = (32 * block) + (Group.IdxX & 31);
        if (col < 8 * rows.Pieces) memory.Halves[(rows.Row(head, token) >> 1) + col] = (ushort)Narrow.ToBrain(value);
    }
}

/// <summary>Blocks of 32 signed bytes with a binary16 scale, the largest magnitude over 127. Source: ggml, block_q8_0 in ggml-common.h.</summary>
internal readonly struct KvQ8_0 : IKvFormat
{
    public Float8 Load(DeviceMemory memory, KvRows rows, long head, int token, int piece)
    {
        long place = (rows.Row(head, token) >> 2) + (2 * piece);
        uint low = memory.Words[place], high = memory.Words[place + 1];
        float d = Lane.FromHalf(memory.Halves[rows.Scale(head, token, piece >> 2) >> 1]);
        return new Float8
        {
            V0 = d * ((int)(low << 24) >> 24),
            V1 = d * ((int)(low << 16) >> 24),
            V2 = d * ((int)(low << 8) >> 24),
            V3 = d * ((int)low >> 24),
            V4 = d * ((int)(high << 24) >> 24),
            V5 = d * ((int)(high << 16) >> 24),
            V6 = d * ((int)(high << 8) >> 24),
            V7 = d * ((int)high >> 24),
        };
    }

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
    public Float8 Load(DeviceMemory memory, KvRows rows, long head, int token, int piece)
    {
        uint codes = memory.Words[(rows.Row(head, token) >> 2) + piece];
        float d = Lane.FromHalf(memory.Halves[rows.Scale(head, token, piece >> 2) >> 1]);
        return new Float8
        {
            V0 = d * ((int)(codes & 15) - 8),
            V1 = d * ((int)((codes >> 4) & 15) - 8),
            V2 = d * ((int)((codes >> 8) & 15) - 8),
            V3 = d * ((int)((codes >> 12) & 15) - 8),
            V4 = d * ((int)((codes >> 16) & 15) - 8),
            V5 = d * ((int)((codes >> 20) & 15) - 8),
            V6 = d * ((int)((codes >> 24) & 15) - 8),
            V7 = d * ((int)(codes >> 28) - 8),
        };
    }

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
        word |= Warp.ShuffleXor(word, 1);
        word |= Warp.ShuffleXor(word, 2);
        word |= Warp.ShuffleXor(word, 4);
        if ((lane & 7) == 0) memory.Words[(rows.Row(head, token) >> 2) + (4 * block) + (lane >> 3)] = word;
        if (lane == 0) memory.Halves[rows.Scale(head, token, block) >> 1] = (ushort)stored;
    }
}
