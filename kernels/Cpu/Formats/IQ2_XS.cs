using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Formats.Grids;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 2.31 bits a weight: <c>w[16g + 8p + j] = d × (2·level[g] + 1) / 8 × grid[index[g, p]][j] × ±1</c>, the number of minus signs in 8 even.
/// Block of 256 in 74 bytes: d (binary16); 32 little-endian words of 9 index bits and, above, 7 sign bits; 8 bytes of two 4-bit levels,
/// the earlier group in the low half. Source: ggml type 17, block_iq2_xs.
/// </summary>
internal readonly unsafe struct IQ2_XS : IWeightFormat
{
    private static readonly GridShape Shape =
        new(GridTables.Iq2Xs, 512, 8) { GroupLength = 16, Unit = 1f / 8, Signs = SignRule.Even };

    public static FormatInfo Info { get; } = new("IQ2_XS", 17, 256, 74);

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (byte* end = blocks + (74 * blockCount); blocks < end; blocks += 74)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int p = 0; p < 32; p++, values += 8)
            {
                float scale = d * (0.5f + (blocks[66 + (p / 4)] >> (2 * (p & 2)) & 15)) * 0.25f;
                uint word = Unsafe.ReadUnaligned<ushort>(blocks + 2 + (2 * p));
                GridDecode.Scalar(GridTables.Iq2Xs + (8 * (word & 511)), 8, scale, GridDecode.EvenSigns(word >> 9), values);
            }
        }
    }

    public static void Decode(byte* blocks, long blockCount, float* values)
    {
        if (!Isa.HasAvx2)
        {
            DecodeScalar(blocks, blockCount, values);
            return;
        }

        for (byte* end = blocks + (74 * blockCount); blocks < end; blocks += 74)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int g = 0; g < 8; g++, values += 32)
            {
                byte* words = blocks + 2 + (8 * g);
                uint levels = blocks[66 + g];
                Vector256<float> scale = Vector256.Create(d * (0.5f + (levels & 15)) * 0.25f);
                Decode8(words, scale).Store(values);
                Decode8(words + 2, scale).Store(values + 8);
                scale = Vector256.Create(d * (0.5f + (levels >> 4)) * 0.25f);
                Decode8(words + 4, scale).Store(values + 16);
                Decode8(words + 6, scale).Store(values + 24);
            }
        }
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        using GridEncoder encoder = new(Shape);
        for (long i = 0; i < blockCount; i++, blocks += 74)
        {
            encoder.Encode(values, importance, i, out GridCode code);
            Unsafe.WriteUnaligned(blocks, code.Scale);
            for (int p = 0; p < 32; p++)
                Unsafe.WriteUnaligned(blocks + 2 + (2 * p), (ushort)(code.Points[p] | ((code.Signs[p] & 127) << 9)));
            for (int g = 0; g < 8; g++) blocks[66 + g] = (byte)(code.Levels[2 * g] | (code.Levels[(2 * g) + 1] << 4));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Decode8(byte* source, Vector256<float> scale)
    {
        uint word = Unsafe.ReadUnaligned<ushort>(source);
        return GridDecode.ApplySigns(scale * GridDecode.Load8(GridTables.Iq2Xs + (8 * (word & 511))), GridDecode.EvenSigns(word >> 9));
    }
}
