using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Gpu.Weights;

/// <summary>
/// The 16 bytes that Q4_K and Q5_K keep for 256 values: d and dmin, binary16, and eight 6-bit scales and minimums in three words in an order that a lane takes apart with shifts:
/// nibble j of word 1 is the low four bits of scale j, of word 2 those of minimum j, of word 3 the upper two bits of scale j and, above them, of minimum j.
/// </summary>
internal static unsafe class AffinePlanes
{
    /// <summary>Sets a block's scale and minimum.</summary>
    public static BlockCodes Scaled(BlockCodes codes, Uint4 super, int block)
    {
        int shift = (block & 7) * 4;
        uint upper = super.W >> shift;
        int scale = (int)(((super.Y >> shift) & 15) | ((upper & 3) << 4)), minimum = (int)(((super.Z >> shift) & 15) | ((upper & 12) << 2));
        codes.Scale = Lane.FromHalf(super.X & 0xffff) * scale;
        codes.Minimum = Lane.FromHalf(super.X >> 16) * minimum;
        return codes;
    }

    /// <summary>Lays the first 16 bytes of a stored block.</summary>
    public static void Lay(byte* stored, uint* destination)
    {
        destination[0] = *(uint*)stored;
        destination[1] = destination[2] = destination[3] = 0;
        for (int j = 0; j < 8; j++)
        {
            (int scale, int minimum) = SixBitScales.Load(stored + 4, j);
            destination[1] |= (uint)(scale & 15) << (4 * j);
            destination[2] |= (uint)(minimum & 15) << (4 * j);
            destination[3] |= (uint)((scale >> 4) | (minimum >> 4 << 2)) << (4 * j);
        }
    }

    /// <summary>The low four bits of sub-block j of a stored block.</summary>
    public static void Nibbles(byte* packed, int subBlock, Span<byte> codes)
    {
        packed += 32 * (subBlock / 2);
        for (int i = 0; i < 32; i++) codes[i] = (byte)(subBlock % 2 == 0 ? packed[i] & 15 : packed[i] >> 4);
    }
}

/// <summary>
/// Q4_K: <c>w = d · s · q − dmin · m</c>. Quants: 16 bytes a block, nibbles in halves. Super: 16 bytes for 256 values (<see cref="AffinePlanes"/>). 4.5 bits a weight.
/// Source: llama.cpp, block_q4_K in ggml-common.h.
/// </summary>
internal readonly unsafe struct Q4_KPlanes : IBlockFormat, IPlaneLayout
{
    public bool HasTwoScales => false;

    public bool HasMinimum => true;

    public BlockCodes Load(DeviceMemory memory, DeviceWeights w, long row, int block)
    {
        long place = (row * w.Blocks) + block;
        BlockCodes codes = NibblePlanes.Halves(Lane.Stream16(memory, w.Quants + (place * 16)));
        return AffinePlanes.Scaled(codes, Lane.Stream16(memory, w.Super + ((place >> 3) * 16)), block);
    }

    public static PlaneSizes Sizes(int cols) => new(cols / 2, Super: cols / 16);

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        Span<byte> codes = stackalloc byte[32];
        for (int super = 0; super < cols / 256; super++, blocks += 144)
        {
            AffinePlanes.Lay(blocks, (uint*)row.Super + (4 * super));
            for (int j = 0; j < 8; j++)
            {
                AffinePlanes.Nibbles(blocks + 16, j, codes);
                NibblePlanes.LayHalves(codes, row.Quants + (16 * ((8 * super) + j)));
            }
        }
    }
}

/// <summary>
/// Q5_K: <c>w = d · s · q − dmin · m</c>. Quants: 16 bytes a block, low nibbles in halves. High: a word a block, bit <c>8 (i mod 4) + i / 4</c> the fifth bit of value i. Super: 16 bytes
/// for 256 values (<see cref="AffinePlanes"/>). 5.5 bits a weight.
/// Source: llama.cpp, block_q5_K in ggml-common.h.
/// </summary>
internal readonly unsafe struct Q5_KPlanes : IBlockFormat, IPlaneLayout
{
    private const uint Bit = 0x10101010;

    public bool HasTwoScales => false;

    public bool HasMinimum => true;

    public BlockCodes Load(DeviceMemory memory, DeviceWeights w, long row, int block)
    {
        long place = (row * w.Blocks) + block;
        BlockCodes codes = NibblePlanes.Halves(Lane.Stream16(memory, w.Quants + (place * 16)));
        uint fifth = memory.Words[(w.High >> 2) + place];
        codes.C0 |= (fifth << 4) & Bit;
        codes.C1 |= (fifth << 3) & Bit;
        codes.C2 |= (fifth << 2) & Bit;
        codes.C3 |= (fifth << 1) & Bit;
        codes.C4 |= fifth & Bit;
        codes.C5 |= (fifth >> 1) & Bit;
        codes.C6 |= (fifth >> 2) & Bit;
        codes.C7 |= (fifth >> 3) & Bit;
        return AffinePlanes.Scaled(codes, Lane.Stream16(memory, w.Super + ((place >> 3) * 16)), block);
    }

    public static PlaneSizes Sizes(int cols) => new(cols / 2, cols / 8, Super: cols / 16);

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        Span<byte> codes = stackalloc byte[32];
        for (int super = 0; super < cols / 256; super++, blocks += 176)
        {
            AffinePlanes.Lay(blocks, (uint*)row.Super + (4 * super));
            for (int j = 0; j < 8; j++)
            {
                int block = (8 * super) + j;
                AffinePlanes.Nibbles(blocks + 48, j, codes);
                NibblePlanes.LayHalves(codes, row.Quants + (16 * block));
                uint fifth = 0;
                for (int i = 0; i < 32; i++) fifth |= (uint)((blocks[16 + i] >> j) & 1) << ((8 * (i % 4)) + (i / 4));
                ((uint*)row.High)[block] = fifth;
            }
        }
    }
}
