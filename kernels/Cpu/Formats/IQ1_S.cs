using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Formats.Grids;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 1.56 bits a weight: <c>w[32g + 8p + j] = d × (2·level[g] + 1) × (grid[index[g, p]][j] ± 1/8)</c>, one sign of the shift for 32 values.
/// Block of 256 in 50 bytes: d (binary16); 32 bytes of low index bits; for each 32 values a little-endian word with four times 3 high
/// index bits, the 3-bit level, and the sign of the shift on top. Source: ggml type 19, block_iq1_s.
/// </summary>
internal readonly unsafe struct IQ1_S : IWeightFormat
{
    /// <summary>How far a group's values lie beside the grid.</summary>
    internal const float Shift = 0.125f;

    private static readonly GridShape Shape =
        new(GridTables.Iq1, 2048, 8, Shift) { Levels = 8, Signs = SignRule.InPoint, OneShiftInGroup = true };

    public static FormatInfo Info { get; } = new("IQ1_S", 19, 256, 50);

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (byte* end = blocks + (50 * blockCount); blocks < end; blocks += 50)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int p = 0; p < 32; p++)
            {
                int word = Unsafe.ReadUnaligned<ushort>(blocks + 34 + (p / 4 * 2));
                float scale = d * ((2 * (word >> 12 & 7)) + 1), shift = (word & 0x8000) != 0 ? -Shift : Shift;
                sbyte* point = GridTables.Iq1 + (8 * (blocks[2 + p] | ((word >> (p % 4 * 3) & 7) << 8)));
                for (int j = 0; j < 8; j++) *values++ = scale * (point[j] + shift);
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

        sbyte* grid = GridTables.Iq1;
        for (byte* end = blocks + (50 * blockCount); blocks < end; blocks += 50)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks));
            for (int g = 0; g < 8; g++, values += 32)
            {
                byte* low = blocks + 2 + (4 * g);
                uint word = Unsafe.ReadUnaligned<ushort>(blocks + 34 + (2 * g));
                Vector256<float> scale = Vector256.Create(d * ((2 * (int)(word >> 12 & 7)) + 1));
                Vector256<float> shift = Vector256.Create((word & 0x8000) != 0 ? -Shift : Shift);
                for (int p = 0; p < 4; p++)
                {
                    uint index = low[p] | ((word >> (3 * p) & 7) << 8);
                    (scale * (GridDecode.Load8(grid + (8 * index)) + shift)).Store(values + (8 * p));
                }
            }
        }
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        using GridEncoder encoder = new(Shape);
        for (long i = 0; i < blockCount; i++, blocks += 50)
        {
            encoder.Encode(values, importance, i, out GridCode code);
            Unsafe.WriteUnaligned(blocks, code.Scale);
            for (int g = 0; g < 8; g++)
            {
                // Bit 11 of an encoded point is the sign of its shift.
                int word = (code.Levels[g] << 12) | ((code.Points[4 * g] & 2048) << 4);
                for (int p = 0; p < 4; p++)
                {
                    int point = code.Points[(4 * g) + p];
                    blocks[2 + (4 * g) + p] = (byte)point;
                    word |= (point >> 8 & 7) << (3 * p);
                }

                Unsafe.WriteUnaligned(blocks + 34 + (2 * g), (ushort)word);
            }
        }
    }
}
