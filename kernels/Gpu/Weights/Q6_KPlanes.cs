using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu.MatMul;

namespace Quern.Kernels.Gpu.Weights;

/// <summary>
/// Q6_K: <c>w = d · s · (q − 32)</c>. Quants: 16 bytes a block, low nibbles in halves. High: two words a block, bits <c>8 (i mod 4) + 2 (i / 4 mod 4)</c> of word i / 16 the upper
/// two bits of value i. Scales: two signed bytes a block, one for 16 values. Super: binary16 for 256 values. 6.5625 bits a weight.
/// Source: llama.cpp, block_q6_K in ggml-common.h.
/// </summary>
internal readonly unsafe struct Q6_KPlanes : IBlockFormat, IPlaneLayout
{
    private const uint Pair = 0x30303030;

    public bool HasTwoScales => true;

    public bool HasMinimum => false;

    public float Factor => 1f;

    public BlockPlanes Planes => new(high: 8 * 64, scales: 2 * 64, super: 2 * 8);

    public RawBlock Read(DeviceMemory memory, RowAddress row, int block, int ahead)
    {
        Uint2 pairs = Lane.Stream8(memory, Lane.Place(row.High, block, 8) + (256UL * (uint)ahead));
        return new RawBlock
        {
            A = Lane.Stream16(memory, Lane.Place(row.Quants, block, 16) + (512UL * (uint)ahead)),
            C = pairs.X,
            D = pairs.Y,
            E = Lane.StreamHalf(memory, Lane.Place(row.Scales, block, 2) + (64UL * (uint)ahead)) | (Lane.StreamHalf(memory, Lane.Place(row.Super, block >> 3, 2) + (8UL * (uint)ahead)) << 16),
        };
    }

    public RawBlock Read(SliceRow row, int block)
    {
        Uint2 pairs = Lane.Shared8(row.High + (uint)(block * 8));
        return new RawBlock
        {
            A = Lane.Shared16(row.Quants + (uint)(block * 16)),
            C = pairs.X,
            D = pairs.Y,
            E = Lane.SharedHalf(row.Scales + (uint)(block * 2)) | (Lane.SharedHalf(row.Super + (uint)((block >> 3) * 2)) << 16),
        };
    }

    public BlockCodes Decode(RawBlock raw)
    {
        BlockCodes codes = NibblePlanes.Halves(raw.A);
        uint low = raw.C, high = raw.D, scales = raw.E;
        float d = Lane.FromHalf(raw.E >> 16);
        codes.C0 = Centred(codes.C0, low << 4);
        codes.C1 = Centred(codes.C1, low << 2);
        codes.C2 = Centred(codes.C2, low);
        codes.C3 = Centred(codes.C3, low >> 2);
        codes.C4 = Centred(codes.C4, high << 4);
        codes.C5 = Centred(codes.C5, high << 2);
        codes.C6 = Centred(codes.C6, high);
        codes.C7 = Centred(codes.C7, high >> 2);
        codes.Scale = d * ((int)(scales << 24) >> 24);
        codes.UpperScale = d * ((int)(scales << 16) >> 24);
        return codes;
    }

    // Σ (q − 32) x of each half times its scale; no code is centred on its own.
    public float Dot(RawBlock raw, GemvActivations x)
    {
        BlockCodes q = NibblePlanes.Halves(raw.A);
        uint low = raw.C, high = raw.D, scales = raw.E;
        Uint4 first = new() { X = q.C0 | ((low << 4) & Pair), Y = q.C1 | ((low << 2) & Pair), Z = q.C2 | (low & Pair), W = q.C3 | ((low >> 2) & Pair) };
        Uint4 last = new() { X = q.C4 | ((high << 4) & Pair), Y = q.C5 | ((high << 2) & Pair), Z = q.C6 | (high & Pair), W = q.C7 | ((high >> 2) & Pair) };
        int lower = ((int)(scales << 24) >> 24) * ByteProducts.Lower(first, x, -32 * x.LowerSum), upper = ((int)(scales << 16) >> 24) * ByteProducts.Upper(last, x, -32 * x.UpperSum);
        return Lane.FromHalf(scales >> 16) * (lower + upper);
    }

    public static float Largest(int cols, PlaneRow row) => 128 * 32 * PlaneRow.Largest(row.Super, cols / 256);

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        Span<byte> codes = stackalloc byte[32];
        for (int super = 0; super < cols / 256; super++, blocks += 210)
        {
            ((ushort*)row.Super)[super] = *(ushort*)(blocks + 208);
            for (int j = 0; j < 8; j++)
            {
                // Quarter k of half h: a run of nibbles, low or high, and bit pair k.
                int block = (8 * super) + j, h = j / 4, k = j % 4;
                byte* nibbles = blocks + (64 * h) + (32 * (k % 2)), pairs = blocks + 128 + (32 * h);
                ulong upper = 0;
                for (int i = 0; i < 32; i++)
                {
                    codes[i] = (byte)(k < 2 ? nibbles[i] & 15 : nibbles[i] >> 4);
                    upper |= (ulong)((pairs[i] >> (2 * k)) & 3) << ((32 * (i / 16)) + (8 * (i % 4)) + (2 * (i / 4 % 4)));
                }

                NibblePlanes.LayHalves(codes, row.Quants + (16 * block));
                ((ulong*)row.High)[block] = upper;
                ((ushort*)row.Scales)[block] = *(ushort*)(blocks + 192 + (2 * j));
            }
        }
    }

    // q − 32 in each byte: with bit 7 set nothing is borrowed from the next one.
    private static uint Centred(uint nibbles, uint pairs) => (((nibbles | (pairs & Pair)) | 0x80808080) - 0x20202020) ^ 0x80808080;
}
