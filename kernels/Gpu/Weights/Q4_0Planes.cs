using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu.MatMul;

namespace Quern.Kernels.Gpu.Weights;

/// <summary>
/// Q4_0: <c>w = d · (q − 8)</c>. Quants: 16 bytes a block, nibbles in halves. Scales: binary16 a block. 4.5 bits a weight.
/// Source: ggml, block_q4_0 in ggml-common.h.
/// </summary>
internal readonly unsafe struct Q4_0Planes : IBlockFormat, IPlaneLayout
{
    public bool HasTwoScales => false;

    public bool HasMinimum => true;

    public float Factor => 0.0625f;

    public BlockPlanes Planes => new(scales: 2 * 64);

    public RawBlock Read(DeviceMemory memory, RowAddress row, int block, int ahead) =>
        new() { A = Lane.Stream16(memory, Lane.Place(row.Quants, block, 16) + (512UL * (uint)ahead)), C = Lane.StreamHalf(memory, Lane.Place(row.Scales, block, 2) + (64UL * (uint)ahead)) };

    public RawBlock Read(SliceRow row, int block) => new() { A = Lane.Shared16(row.Quants + (uint)(block * 16)), C = Lane.SharedHalf(row.Scales + (uint)(block * 2)) };

    public BlockCodes Decode(RawBlock raw)
    {
        BlockCodes codes = NibblePlanes.Halves(raw.A);
        codes.Scale = Lane.FromHalf(raw.C);
        codes.Minimum = codes.Scale * 8;
        return codes;
    }

    // Σ (q − 8) x, sixteen times.
    public float Dot(RawBlock raw, GemvActivations x) => Lane.FromHalf(raw.C) * ByteProducts.Sixteenfold(raw.A, x, -8 * (x.LowerSum + x.UpperSum));

    public static float Largest(int cols, PlaneRow row) => 16 * PlaneRow.Largest(row.Scales, cols / 32);

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        for (int block = 0; block < cols / 32; block++, blocks += 18)
        {
            ((ushort*)row.Scales)[block] = *(ushort*)blocks;
            Buffer.MemoryCopy(blocks + 2, row.Quants + (16 * block), 16, 16);
        }
    }
}
