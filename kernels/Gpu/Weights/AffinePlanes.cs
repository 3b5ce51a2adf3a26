using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu.MatMul;

namespace Quern.Kernels.Gpu.Weights;

/// <summary>
/// The scales that Q4_K and Q5_K keep for 256 values: d and dmin, binary16, in the plane of 256, and for each block its 6-bit scale and minimum as two bytes in the plane of scales, where the file
/// packs them into 12 bits: 2.8 % more memory for a third of the instructions.
/// </summary>
internal static unsafe class AffinePlanes
{
    /// <summary>Sets a block's scale and minimum.</summary>
    /// <param name="codes">Its codes.</param>
    /// <param name="own">The two bytes.</param>
    /// <param name="super">d and dmin.</param>
    public static BlockCodes Scaled(BlockCodes codes, uint own, uint super)
    {
        // Signed, because unsigned integers go through binary64 on their way to binary32.
        codes.Scale = Lane.FromHalf(super & 0xffff) * (int)(own & 255);
        codes.Minimum = Lane.FromHalf(super >> 16) * (int)(own >> 8);
        return codes;
    }

    /// <summary>What the sums of a block come to. The integers stay below 2^27.</summary>
    /// <param name="products">Σ q x.</param>
    /// <param name="activations">Σ x.</param>
    /// <param name="own">The two bytes.</param>
    /// <param name="super">d and dmin.</param>
    public static float Product(int products, int activations, uint own, uint super) =>
        (Lane.FromHalf(super & 0xffff) * (products * (int)(own & 255))) - (Lane.FromHalf(super >> 16) * (activations * (int)(own >> 8)));

    /// <summary>The largest magnitude of codes up to <paramref name="code"/>, whose scales and minimums have six bits.</summary>
    public static float Largest(int code, int cols, PlaneRow row) => 63 * ((code * PlaneRow.Largest(row.Super, cols / 256, 2)) + PlaneRow.Largest(row.Super + 2, cols / 256, 2));

    /// <summary>Lays the first 16 bytes of a stored block.</summary>
    public static void Lay(byte* stored, byte* scales, uint* super)
    {
        *super = *(uint*)stored;
        for (int j = 0; j < 8; j++)
        {
            (int scale, int minimum) = SixBitScales.Load(stored + 4, j);
            (scales[2 * j], scales[(2 * j) + 1]) = ((byte)scale, (byte)minimum);
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
/// Q4_K: <c>w = d · s · q − dmin · m</c>. Quants: 16 bytes a block, nibbles in halves. Scales: 2 bytes a block. Super: 4 bytes for 256 values (<see cref="AffinePlanes"/>). 4.625 bits a weight, where the file has 4.5.
/// Source: llama.cpp, block_q4_K in ggml-common.h.
/// </summary>
internal readonly unsafe struct Q4_KPlanes : IBlockFormat, IPlaneLayout
{
    public bool HasTwoScales => false;

    public bool HasMinimum => true;

    public float Factor => 0.0625f;

    public BlockPlanes Planes => new(scales: 2 * 64, super: 4 * 8);

    public RawBlock Read(DeviceMemory memory, RowAddress row, int block, int ahead) => new()
    {
        A = Lane.Stream16(memory, Lane.Place(row.Quants, block, 16) + (512UL * (uint)ahead)),
        C = Lane.StreamHalf(memory, Lane.Place(row.Scales, block, 2) + (64UL * (uint)ahead)),
        D = Lane.StreamWord(memory, Lane.Place(row.Super, block >> 3, 4) + (16UL * (uint)ahead)),
    };

    public RawBlock Read(SliceRow row, int block) => new()
    {
        A = Lane.Shared16(row.Quants + (uint)(block * 16)),
        C = Lane.SharedHalf(row.Scales + (uint)(block * 2)),
        D = Lane.SharedWord(row.Super + (uint)((block >> 3) * 4)),
    };

    public BlockCodes Decode(RawBlock raw) => AffinePlanes.Scaled(NibblePlanes.Halves(raw.A), raw.C, raw.D);

    public float Dot(RawBlock raw, GemvActivations x) => AffinePlanes.Product(ByteProducts.Sixteenfold(raw.A, x, 0), 16 * (x.LowerSum + x.UpperSum), raw.C, raw.D);

    public static float Largest(int cols, PlaneRow row) => AffinePlanes.Largest(15, cols, row);

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        Span<byte> codes = stackalloc byte[32];
        for (int super = 0; super < cols / 256; super++, blocks += 144)
        {
            AffinePlanes.Lay(blocks, row.Scales + (16 * super), (uint*)row.Super + super);
            for (int j = 0; j < 8; j++)
            {
                AffinePlanes.Nibbles(blocks + 16, j, codes);
                NibblePlanes.LayHalves(codes, row.Quants + (16 * ((8 * super) + j)));
            }
        }
    }
}

/// <summary>
/// Q5_K: <c>w = d · s · q − dmin · m</c>. Quants: 16 bytes a block, low nibbles in halves. High: a word a block, bit <c>8 (i mod 4) + i / 4</c> the fifth bit of value i. Scales: 2 bytes
/// a block. Super: 4 bytes for 256 values (<see cref="AffinePlanes"/>). 5.625 bits a weight, where the file has 5.5.
/// Source: llama.cpp, block_q5_K in ggml-common.h.
/// </summary>
internal readonly unsafe struct Q5_KPlanes : IBlockFormat, IPlaneLayout
{
    private const uint Bit = 0x10101010;

    public bool HasTwoScales => false;

    public bool HasMinimum => true;

    public float Factor => 1f;

    public BlockPlanes Planes => new(high: 4 * 64, scales: 2 * 64, super: 4 * 8);

    public RawBlock Read(DeviceMemory memory, RowAddress row, int block, int ahead) => new()
    {
        A = Lane.Stream16(memory, Lane.Place(row.Quants, block, 16) + (512UL * (uint)ahead)),
        C = Lane.StreamHalf(memory, Lane.Place(row.Scales, block, 2) + (64UL * (uint)ahead)),
        D = Lane.StreamWord(memory, Lane.Place(row.Super, block >> 3, 4) + (16UL * (uint)ahead)),
        E = Lane.StreamWord(memory, Lane.Place(row.High, block, 4) + (128UL * (uint)ahead)),
    };

    public RawBlock Read(SliceRow row, int block) => new()
    {
        A = Lane.Shared16(row.Quants + (uint)(block * 16)),
        C = Lane.SharedHalf(row.Scales + (uint)(block * 2)),
        D = Lane.SharedWord(row.Super + (uint)((block >> 3) * 4)),
        E = Lane.SharedWord(row.High + (uint)(block * 4)),
    };

    public BlockCodes Decode(RawBlock raw) => AffinePlanes.Scaled(Codes(raw), raw.C, raw.D);

    public float Dot(RawBlock raw, GemvActivations x) => AffinePlanes.Product(ByteProducts.All(Codes(raw), x), x.LowerSum + x.UpperSum, raw.C, raw.D);

    private static BlockCodes Codes(RawBlock raw)
    {
        BlockCodes codes = NibblePlanes.Halves(raw.A);
        uint fifth = raw.E;
        codes.C0 |= (fifth << 4) & Bit;
        codes.C1 |= (fifth << 3) & Bit;
        codes.C2 |= (fifth << 2) & Bit;
        codes.C3 |= (fifth << 1) & Bit;
        codes.C4 |= fifth & Bit;
        codes.C5 |= (fifth >> 1) & Bit;
        codes.C6 |= (fifth >> 2) & Bit;
        codes.C7 |= (fifth >> 3) & Bit;
        return codes;
    }

    public static float Largest(int cols, PlaneRow row) => AffinePlanes.Largest(31, cols, row);

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        Span<byte> codes = stackalloc byte[32];
        for (int super = 0; super < cols / 256; super++, blocks += 176)
        {
            AffinePlanes.Lay(blocks, row.Scales + (16 * super), (uint*)row.Super + super);
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
