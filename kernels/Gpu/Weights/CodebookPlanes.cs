using ILGPU;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu.MatMul;

namespace Quern.Kernels.Gpu.Weights;

/// <summary>
/// IQ4_NL: <c>w = d · codebook[q]</c>. Quants: 16 bytes a block, nibbles in runs. Scales: binary16 a block. 4.5 bits a weight.
/// Source: ggml, block_iq4_nl and kvalues_iq4nl in ggml-common.h.
/// </summary>
internal readonly unsafe struct IQ4_NLPlanes : IBlockFormat, IPlaneLayout
{
    // −127 −104 −83 −65, −49 −35 −22 −10, 1 13 25 38, 53 69 89 113.
    internal const uint Book0 = 0xbfad9881, Book1 = 0xf6eaddcf, Book2 = 0x26190d01, Book3 = 0x71594535;

    public bool HasTwoScales => false;

    public bool HasMinimum => false;

    public float Factor => 1f;

    public BlockPlanes Planes => new(scales: 2 * 64);

    public RawBlock Read(DeviceMemory memory, RowAddress row, int block, int ahead) =>
        new() { A = Lane.Stream16(memory, Lane.Place(row.Quants, block, 16) + (512UL * (uint)ahead)), C = Lane.StreamHalf(memory, Lane.Place(row.Scales, block, 2) + (64UL * (uint)ahead)) };

    public RawBlock Read(SliceRow row, int block) => new() { A = Lane.Shared16(row.Quants + (uint)(block * 16)), C = Lane.SharedHalf(row.Scales + (uint)(block * 2)) };

    public BlockCodes Decode(RawBlock raw)
    {
        BlockCodes codes = NibblePlanes.Runs(raw.A, Book0, Book1, Book2, Book3);
        codes.Scale = Lane.FromHalf(raw.C);
        return codes;
    }

    public float Dot(RawBlock raw, GemvActivations x) => Lane.FromHalf(raw.C) * ByteProducts.All(NibblePlanes.Runs(raw.A, Book0, Book1, Book2, Book3), x);

    public static float Largest(int cols, PlaneRow row) => 127 * PlaneRow.Largest(row.Scales, cols / 32);

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        Span<byte> codes = stackalloc byte[32];
        for (int block = 0; block < cols / 32; block++, blocks += 18)
        {
            ((ushort*)row.Scales)[block] = *(ushort*)blocks;
            NibblePlanes.Stored(blocks + 2, codes);
            NibblePlanes.LayRuns(codes, row.Quants + (16 * block));
        }
    }
}

/// <summary>
/// IQ4_XS: <c>w = d · s · codebook[q]</c>. Quants: 16 bytes a block, nibbles in runs. Scales: a signed byte a block, the stored one − 32. Super: binary16 for 256 values.
/// 4.3125 bits a weight, where the file has 4.25.
/// Source: llama.cpp, block_iq4_xs in ggml-common.h.
/// </summary>
internal readonly unsafe struct IQ4_XSPlanes : IBlockFormat, IPlaneLayout
{
    public bool HasTwoScales => false;

    public bool HasMinimum => false;

    public float Factor => 1f;

    public BlockPlanes Planes => new(scales: 64, super: 2 * 8);

    public RawBlock Read(DeviceMemory memory, RowAddress row, int block, int ahead) => new()
    {
        A = Lane.Stream16(memory, Lane.Place(row.Quants, block, 16) + (512UL * (uint)ahead)),
        C = Lane.StreamByte(memory, Lane.Place(row.Scales, block, 1) + (32UL * (uint)ahead)),
        D = Lane.StreamHalf(memory, Lane.Place(row.Super, block >> 3, 2) + (8UL * (uint)ahead)),
    };

    public RawBlock Read(SliceRow row, int block) => new()
    {
        A = Lane.Shared16(row.Quants + (uint)(block * 16)),
        C = Lane.SharedByte(row.Scales + (uint)block),
        D = Lane.SharedHalf(row.Super + (uint)((block >> 3) * 2)),
    };

    public BlockCodes Decode(RawBlock raw)
    {
        BlockCodes codes = NibblePlanes.Runs(raw.A, IQ4_NLPlanes.Book0, IQ4_NLPlanes.Book1, IQ4_NLPlanes.Book2, IQ4_NLPlanes.Book3);
        codes.Scale = Lane.FromHalf(raw.D) * ((int)(raw.C << 24) >> 24);
        return codes;
    }

    public float Dot(RawBlock raw, GemvActivations x)
    {
        int sum = ByteProducts.All(NibblePlanes.Runs(raw.A, IQ4_NLPlanes.Book0, IQ4_NLPlanes.Book1, IQ4_NLPlanes.Book2, IQ4_NLPlanes.Book3), x);
        return Lane.FromHalf(raw.D) * (((int)(raw.C << 24) >> 24) * sum);
    }

    public static float Largest(int cols, PlaneRow row) => 127 * 32 * PlaneRow.Largest(row.Super, cols / 256);

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        Span<byte> codes = stackalloc byte[32];
        for (int super = 0; super < cols / 256; super++, blocks += 136)
        {
            ((ushort*)row.Super)[super] = *(ushort*)blocks;
            int upper = *(ushort*)(blocks + 2);
            for (int j = 0; j < 8; j++)
            {
                int block = (8 * super) + j, lower = (blocks[4 + (j / 2)] >> (4 * (j % 2))) & 15;
                row.Scales[block] = (byte)(sbyte)((lower | (((upper >> (2 * j)) & 3) << 4)) - 32);
                NibblePlanes.Stored(blocks + 8 + (16 * j), codes);
                NibblePlanes.LayRuns(codes, row.Quants + (16 * block));
            }
        }
    }
}

/// <summary>
/// MXFP4: <c>w = 2^(e − 128) · codebook[q]</c>, the codebook twice the E2M1 numbers. Quants: 16 bytes a block, nibbles in runs. Scales: e, a byte a block. 4.25 bits a weight.
/// Source: Open Compute Project, "OCP Microscaling Formats (MX) Specification" 1.0, 2023; ggml, block_mxfp4 in ggml-common.h.
/// </summary>
internal readonly unsafe struct MXFP4Planes : IBlockFormat, IPlaneLayout
{
    // 0 1 2 3, 4 6 8 12, and their negatives.
    private const uint Book0 = 0x03020100, Book1 = 0x0c080604, Book2 = 0xfdfeff00, Book3 = 0xf4f8fafc;

    public bool HasTwoScales => false;

    public bool HasMinimum => false;

    public float Factor => 1f;

    public BlockPlanes Planes => new(scales: 64);

    public RawBlock Read(DeviceMemory memory, RowAddress row, int block, int ahead) =>
        new() { A = Lane.Stream16(memory, Lane.Place(row.Quants, block, 16) + (512UL * (uint)ahead)), C = Lane.StreamByte(memory, Lane.Place(row.Scales, block, 1) + (32UL * (uint)ahead)) };

    public RawBlock Read(SliceRow row, int block) => new() { A = Lane.Shared16(row.Quants + (uint)(block * 16)), C = Lane.SharedByte(row.Scales + (uint)block) };

    public BlockCodes Decode(RawBlock raw)
    {
        BlockCodes codes = NibblePlanes.Runs(raw.A, Book0, Book1, Book2, Book3);
        codes.Scale = Scale(raw.C);
        return codes;
    }

    public float Dot(RawBlock raw, GemvActivations x) => Scale(raw.C) * ByteProducts.All(NibblePlanes.Runs(raw.A, Book0, Book1, Book2, Book3), x);

    public static float Largest(int cols, PlaneRow row)
    {
        int largest = 0;
        for (int block = 0; block < cols / 32; block++) largest = Math.Max(largest, row.Scales[block]);
        return MathF.ScaleB(12, largest - 128);
    }

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        Span<byte> codes = stackalloc byte[32];
        for (int block = 0; block < cols / 32; block++, blocks += 17)
        {
            row.Scales[block] = *blocks;
            NibblePlanes.Stored(blocks + 1, codes);
            NibblePlanes.LayRuns(codes, row.Quants + (16 * block));
        }
    }

    // Below 2 the scale is no normal number: bits 21 and 22 of the significand.
    private static float Scale(uint e) => Interop.IntAsFloat(e < 2 ? 0x00200000u << (int)e : (e - 1) << 23);
}
