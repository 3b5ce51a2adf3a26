using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Formats.Grids;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 3.06 bits a weight: <c>w[32g + 4p + j] = d × (2·level[g] + 1) / 4 × grid[index[g, p]][j] × ±1</c>, the number of minus signs in 8 even.
/// Block of 256 in 98 bytes: d (binary16); 64 index bytes; for each 32 values a little-endian word with four times 7 sign bits and, on
/// top, the 4-bit level. Source: ggml type 18, block_iq3_xxs.
/// </summary>
internal readonly unsafe struct IQ3_XXS : IWeightFormat
{
    private static readonly GridShape Shape = new(GridTables.Iq3Xxs, 256, 4) { Unit = 1f / 4, Signs = SignRule.Even };

    public static FormatInfo Info { get; } = new("IQ3_XXS", 18, 256, 98);

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (byte* end = blocks + (98 * blockCount); blocks < end; blocks += 98)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int p = 0; p < 64; p++, values += 4)
            {
                uint word = Unsafe.ReadUnaligned<uint>(blocks + 66 + (p / 8 * 4));
                uint signs = GridDecode.EvenSigns((word >> (p / 2 % 4 * 7)) & 127);
                float scale = d * (0.5f + (word >> 28)) * 0.5f;
                GridDecode.Scalar(GridTables.Iq3Xxs + (4 * blocks[2 + p]), 4, scale, signs >> (p % 2 * 4), values);
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

        sbyte* grid = GridTables.Iq3Xxs;
        for (byte* end = blocks + (98 * blockCount); blocks < end; blocks += 98)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int g = 0; g < 8; g++, values += 32)
            {
                byte* index = blocks + 2 + (8 * g);
                uint word = Unsafe.ReadUnaligned<uint>(blocks + 66 + (4 * g));
                Vector256<float> scale = Vector256.Create(d * (0.5f + (word >> 28)) * 0.5f);
                for (int p = 0; p < 4; p++)
                {
                    Vector256<float> point = scale * GridDecode.Load4And4(grid + (4 * index[2 * p]), grid + (4 * index[(2 * p) + 1]));
                    GridDecode.ApplySigns(point, GridDecode.EvenSigns((word >> (7 * p)) & 127)).Store(values + (8 * p));
                }
            }
        }
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        using GridEncoder encoder = new(Shape);
        for (long i = 0; i < blockCount; i++, blocks += 98)
        {
            encoder.Encode(values, importance, i, out GridCode code);
            Unsafe.WriteUnaligned(blocks, code.Scale);
            for (int p = 0; p < 64; p++) blocks[2 + p] = (byte)code.Points[p];
            for (int g = 0; g < 8; g++)
            {
                uint word = (uint)code.Levels[g] << 28;
                for (int p = 0; p < 4; p++) word |= (code.Signs[(4 * g) + p] & 127u) << (7 * p);
                Unsafe.WriteUnaligned(blocks + 66 + (4 * g), word);
            }
        }
    }
}
