using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Formats.Grids;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 2.56 bits a weight: <c>w[16g + 8p + j] = d × (2·level[g] + 1) / 8 × grid[index[g, p]][j] × ±1</c>.
/// Block of 256 in 82 bytes: d (binary16); 32 bytes of low index bits; 32 bytes of signs; 8 bytes of four times 2 high index bits;
/// 8 bytes of two 4-bit levels; the earlier in the lower bits. Source: ggml type 22, block_iq2_s.
/// </summary>
internal readonly unsafe struct IQ2_S : IWeightFormat
{
    private static readonly GridShape Shape = new(GridTables.Iq2S, 1024, 8) { GroupLength = 16, Unit = 1f / 8 };

    public static FormatInfo Info { get; } = new("IQ2_S", 22, 256, 82);

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (byte* end = blocks + (82 * blockCount); blocks < end; blocks += 82)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int p = 0; p < 32; p++, values += 8)
            {
                float scale = d * (0.5f + (blocks[74 + (p / 4)] >> (2 * (p & 2)) & 15)) * 0.25f;
                int index = blocks[2 + p] | ((blocks[66 + (p / 4)] >> (2 * (p & 3)) & 3) << 8);
                GridDecode.Scalar(GridTables.Iq2S + (8 * index), 8, scale, blocks[34 + p], values);
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

        for (byte* end = blocks + (82 * blockCount); blocks < end; blocks += 82)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int g = 0; g < 8; g++, values += 32)
            {
                byte* low = blocks + 2 + (4 * g);
                uint high = blocks[66 + g], levels = blocks[74 + g];
                Vector256<float> scale = Vector256.Create(d * (0.5f + (levels & 15)) * 0.25f);
                Decode8(low[0] | (high << 8 & 0x300), low[32], scale).Store(values);
                Decode8(low[1] | (high << 6 & 0x300), low[33], scale).Store(values + 8);
                scale = Vector256.Create(d * (0.5f + (levels >> 4)) * 0.25f);
                Decode8(low[2] | (high << 4 & 0x300), low[34], scale).Store(values + 16);
                Decode8(low[3] | (high << 2 & 0x300), low[35], scale).Store(values + 24);
            }
        }
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        using GridEncoder encoder = new(Shape);
        for (long i = 0; i < blockCount; i++, blocks += 82)
        {
            encoder.Encode(values, importance, i, out GridCode code);
            Unsafe.WriteUnaligned(blocks, code.Scale);
            new Span<byte>(blocks + 66, 16).Clear();
            for (int p = 0; p < 32; p++)
            {
                blocks[2 + p] = (byte)code.Points[p];
                blocks[34 + p] = code.Signs[p];
                blocks[66 + (p / 4)] |= (byte)(code.Points[p] >> 8 << (2 * (p & 3)));
            }

            for (int g = 0; g < 16; g++) blocks[74 + (g / 2)] |= (byte)(code.Levels[g] << (4 * (g & 1)));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Decode8(uint index, uint signs, Vector256<float> scale) =>
        GridDecode.ApplySigns(scale * GridDecode.Load8(GridTables.Iq2S + (8 * index)), signs);
}
