using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Formats.Grids;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 1.75 bits a weight: <c>w[16g + 8p + j] = d × (2·level[g] + 1) × (grid[index[g, p]][j] ± 1/8)</c>, a sign of the shift for each 8 values.
/// Block of 256 in 56 bytes: 32 bytes of low index bits; 16 bytes of two times 3 high index bits and the sign of the shift; four
/// little-endian words of four times a 3-bit level, whose top 4 bits together are d (binary16), the low bits first; the earlier in the
/// lower bits. Source: ggml type 29, block_iq1_m.
/// </summary>
internal readonly unsafe struct IQ1_M : IWeightFormat
{
    private static readonly GridShape Shape =
        new(GridTables.Iq1, 2048, 8, IQ1_S.Shift) { GroupLength = 16, Levels = 8, Signs = SignRule.InPoint };

    public static FormatInfo Info { get; } = new("IQ1_M", 29, 256, 56);

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (byte* end = blocks + (56 * blockCount); blocks < end; blocks += 56)
        {
            ulong levels = Unsafe.ReadUnaligned<ulong>(blocks + 48);
            float d = Float16.ToSingle(BlockScale(levels));
            for (int p = 0; p < 32; p++)
            {
                float scale = d * ((2 * (int)(levels >> LevelBit(p / 2) & 7)) + 1);
                int high = blocks[32 + (p / 2)] >> (p % 2 * 4);
                float shift = (high & 8) != 0 ? -IQ1_S.Shift : IQ1_S.Shift;
                sbyte* point = GridTables.Iq1 + (8 * (blocks[p] | ((high & 7) << 8)));
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
        for (byte* end = blocks + (56 * blockCount); blocks < end; blocks += 56)
        {
            ulong levels = Unsafe.ReadUnaligned<ulong>(blocks + 48);
            float d = Float16.ToSingle(BlockScale(levels));
            for (int g = 0; g < 16; g++, values += 16)
            {
                uint high = blocks[32 + g];
                Vector256<float> scale = Vector256.Create(d * ((2 * (int)(levels >> LevelBit(g) & 7)) + 1));
                Vector256<float> first = GridDecode.Load8(grid + (8 * (blocks[2 * g] | ((high & 7) << 8))));
                Vector256<float> second = GridDecode.Load8(grid + (8 * (blocks[(2 * g) + 1] | ((high & 0x70) << 4))));
                (scale * (first + ShiftOf(high << 28))).Store(values);
                (scale * (second + ShiftOf(high << 24))).Store(values + 8);
            }
        }
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        using GridEncoder encoder = new(Shape);
        for (long i = 0; i < blockCount; i++, blocks += 56)
        {
            encoder.Encode(values, importance, i, out GridCode code);
            ulong levels = 0;
            for (int n = 0; n < 4; n++) levels |= (ulong)(code.Scale >> (4 * n) & 15) << ((16 * n) + 12);
            for (int g = 0; g < 16; g++)
            {
                // Bit 11 of an encoded point is the sign of its shift, and lies above the index here too.
                int first = code.Points[2 * g], second = code.Points[(2 * g) + 1];
                blocks[2 * g] = (byte)first;
                blocks[(2 * g) + 1] = (byte)second;
                blocks[32 + g] = (byte)((first >> 8) | (second >> 8 << 4));
                levels |= (ulong)code.Levels[g] << LevelBit(g);
            }

            Unsafe.WriteUnaligned(blocks + 48, levels);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort BlockScale(ulong levels) =>
        (ushort)((levels >> 12 & 0xf) | (levels >> 24 & 0xf0) | (levels >> 36 & 0xf00) | (levels >> 48 & 0xf000));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int LevelBit(int group) => (group / 4 * 16) + (group % 4 * 3);

    /// <summary>Eight times ±<see cref="IQ1_S.Shift"/>, negative where the top bit of <paramref name="sign"/> is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> ShiftOf(uint sign) =>
        Vector256.Create(BitConverter.SingleToUInt32Bits(IQ1_S.Shift) | (sign & 0x80000000)).AsSingle();
}
