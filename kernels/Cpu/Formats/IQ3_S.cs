using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Formats.Grids;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 3.44 bits a weight: <c>w[32g + 4p + j] = d × (2·level[g] + 1) × grid[index[g, p]][j] × ±1</c>.
/// Block of 256 in 110 bytes: d (binary16); 64 bytes of low index bits; 8 bytes of eight ninth index bits; 32 bytes of signs; 4 bytes of
/// two 4-bit levels; the earlier in the lower bits. Source: ggml type 21, block_iq3_s.
/// </summary>
internal readonly unsafe struct IQ3_S : IWeightFormat
{
    private static readonly GridShape Shape = new(GridTables.Iq3S, 512, 4);

    public static FormatInfo Info { get; } = new("IQ3_S", 21, 256, 110);

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (byte* end = blocks + (110 * blockCount); blocks < end; blocks += 110)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int p = 0; p < 64; p++, values += 4)
            {
                int group = p / 8, index = blocks[2 + p] | ((blocks[66 + group] >> (p % 8) & 1) << 8);
                float scale = d * (1 + (2 * (blocks[106 + (group / 2)] >> (group % 2 * 4) & 15)));
                GridDecode.Scalar(GridTables.Iq3S + (4 * index), 4, scale, (uint)blocks[74 + (p / 2)] >> (p % 2 * 4), values);
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

        for (byte* end = blocks + (110 * blockCount); blocks < end; blocks += 110)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int g = 0; g < 8; g++, values += 32)
            {
                byte* low = blocks + 2 + (8 * g), signs = blocks + 74 + (4 * g);
                uint high = blocks[66 + g], level = (uint)blocks[106 + (g / 2)] >> (g % 2 * 4) & 15;
                Vector256<float> scale = Vector256.Create(d * (1 + (2 * (int)level)));
                Decode8(low[0] | (high << 8 & 256), low[1] | (high << 7 & 256), signs[0], scale).Store(values);
                Decode8(low[2] | (high << 6 & 256), low[3] | (high << 5 & 256), signs[1], scale).Store(values + 8);
                Decode8(low[4] | (high << 4 & 256), low[5] | (high << 3 & 256), signs[2], scale).Store(values + 16);
                Decode8(low[6] | (high << 2 & 256), low[7] | (high << 1 & 256), signs[3], scale).Store(values + 24);
            }
        }
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        using GridEncoder encoder = new(Shape);
        for (long i = 0; i < blockCount; i++, blocks += 110)
        {
            encoder.Encode(values, importance, i, out GridCode code);
            new Span<byte>(blocks, 110).Clear();
            Unsafe.WriteUnaligned(blocks, code.Scale);
            for (int p = 0; p < 64; p++)
            {
                blocks[2 + p] = (byte)code.Points[p];
                blocks[66 + (p / 8)] |= (byte)(code.Points[p] >> 8 << (p % 8));
            }

            for (int p = 0; p < 32; p++) blocks[74 + p] = code.Signs[p];
            for (int g = 0; g < 8; g++) blocks[106 + (g / 2)] |= (byte)(code.Levels[g] << (g % 2 * 4));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Decode8(uint first, uint second, uint signs, Vector256<float> scale)
    {
        sbyte* grid = GridTables.Iq3S;
        return GridDecode.ApplySigns(scale * GridDecode.Load4And4(grid + (4 * first), grid + (4 * second)), signs);
    }
}
