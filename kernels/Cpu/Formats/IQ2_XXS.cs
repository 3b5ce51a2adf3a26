using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Formats.Grids;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 2.06 bits a weight: <c>w[32g + 8p + j] = d × (2·level[g] + 1) / 8 × grid[index[g, p]][j] × ±1</c>, the number of minus signs in 8 even.
/// Block of 256 in 66 bytes: d (binary16), then for each 32 values four bytes of index and a little-endian word with four times
/// 7 sign bits and, on top, the 4-bit level. Source: ggml type 16, block_iq2_xxs.
/// </summary>
internal readonly unsafe struct IQ2_XXS : IWeightFormat
{
    private static readonly GridShape Shape = new(GridTables.Iq2Xxs, 256, 8) { Unit = 1f / 8, Signs = SignRule.Even };

    public static FormatInfo Info { get; } = new("IQ2_XXS", 16, 256, 66);

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (byte* end = blocks + (66 * blockCount); blocks < end; blocks += 66)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (byte* group = blocks + 2; group < blocks + 66; group += 8)
            {
                uint word = Unsafe.ReadUnaligned<uint>(group + 4);
                float scale = d * (0.5f + (word >> 28)) * 0.25f;
                for (int p = 0; p < 4; p++, values += 8)
                    GridDecode.Scalar(GridTables.Iq2Xxs + (8 * group[p]), 8, scale, GridDecode.EvenSigns((word >> (7 * p)) & 127), values);
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

        sbyte* grid = GridTables.Iq2Xxs;
        for (byte* end = blocks + (66 * blockCount); blocks < end; blocks += 66)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (byte* group = blocks + 2; group < blocks + 66; group += 8, values += 32)
            {
                uint word = Unsafe.ReadUnaligned<uint>(group + 4);
                Vector256<float> scale = Vector256.Create(d * (0.5f + (word >> 28)) * 0.25f);
                for (int p = 0; p < 4; p++)
                {
                    Vector256<float> point = scale * GridDecode.Load8(grid + (8 * group[p]));
                    GridDecode.ApplySigns(point, GridDecode.EvenSigns((word >> (7 * p)) & 127)).Store(values + (8 * p));
                }
            }
        }
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        using GridEncoder encoder = new(Shape);
        for (long i = 0; i < blockCount; i++, blocks += 66)
        {
            encoder.Encode(values, importance, i, out GridCode code);
            Unsafe.WriteUnaligned(blocks, code.Scale);
            for (int g = 0; g < 8; g++)
            {
                uint word = (uint)code.Levels[g] << 28;
                for (int p = 0; p < 4; p++)
                {
                    blocks[2 + (8 * g) + p] = (byte)code.Points[(4 * g) + p];
                    word |= (code.Signs[(4 * g) + p] & 127u) << (7 * p);
                }

                Unsafe.WriteUnaligned(blocks + 6 + (8 * g), word);
            }
        }
    }
}
