using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu.MatMul;

namespace Quern.Kernels.Gpu.Weights;

/// <summary>
/// Q8_0: <c>w = d · q</c>, q a signed byte. Quants: values 0…15 of each block, 16 bytes. High: values 16…31, 16 bytes. Scales: binary16 a block. 8.5 bits a weight. Two planes
/// rather than 32 bytes in a row, so that the lanes of a warp read 512 bytes on end.
/// Q5_0 (q − 16), TQ1_0 and TQ2_0 (−1, 0, 1) hold the same values in this layout.
/// Source: ggml, block_q8_0, block_q5_0, block_tq1_0 and block_tq2_0 in ggml-common.h.
/// </summary>
internal readonly unsafe struct BytePlanes : IBlockFormat, IPlaneLayout
{
    public bool HasTwoScales => false;

    public bool HasMinimum => false;

    public float Factor => 1f;

    public BlockPlanes Planes => new(high: 16 * 64, scales: 2 * 64);

    public RawBlock Read(DeviceMemory memory, RowAddress row, int block, int ahead) => new()
    {
        A = Lane.Stream16(memory, Lane.Place(row.Quants, block, 16) + (512UL * (uint)ahead)),
        B = Lane.Stream16(memory, Lane.Place(row.High, block, 16) + (512UL * (uint)ahead)),
        C = Lane.StreamHalf(memory, Lane.Place(row.Scales, block, 2) + (64UL * (uint)ahead)),
    };

    public RawBlock Read(SliceRow row, int block) => new()
    {
        A = Lane.Shared16(row.Quants + (uint)(block * 16)),
        B = Lane.Shared16(row.High + (uint)(block * 16)),
        C = Lane.SharedHalf(row.Scales + (uint)(block * 2)),
    };

    public BlockCodes Decode(RawBlock raw) => new()
    {
        C0 = raw.A.X,
        C1 = raw.A.Y,
        C2 = raw.A.Z,
        C3 = raw.A.W,
        C4 = raw.B.X,
        C5 = raw.B.Y,
        C6 = raw.B.Z,
        C7 = raw.B.W,
        Scale = Lane.FromHalf(raw.C),
    };

    public float Dot(RawBlock raw, GemvActivations x) => Lane.FromHalf(raw.C) * ByteProducts.Upper(raw.B, x, ByteProducts.Lower(raw.A, x, 0));

    public static float Largest(int cols, PlaneRow row) => 128 * PlaneRow.Largest(row.Scales, cols / 32);

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        if (format.Info.Name != "Q8_0")
        {
            LayDecoded(format, blocks, cols, row);
            return;
        }

        for (int block = 0; block < cols / 32; block++, blocks += 34)
        {
            ((ushort*)row.Scales)[block] = *(ushort*)blocks;
            Buffer.MemoryCopy(blocks + 2, row.Quants + (16 * block), 16, 16);
            Buffer.MemoryCopy(blocks + 18, row.High + (16 * block), 16, 16);
        }
    }

    // The scale is the first or last binary16 of the stored block, and the codes are the decoded values over it.
    private static void LayDecoded(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        int length = format.Info.BlockLength, bytes = format.Info.BlockBytes;
        float[] values = new float[length];
        for (int first = 0; first < cols; first += length, blocks += bytes)
        {
            ushort stored = *(ushort*)(format.Info.Name == "Q5_0" ? blocks : blocks + bytes - 2);
            float scale = Cpu.Float16.ToSingle(stored);
            format.Decode((nint)blocks, values);
            for (int i = 0; i < length; i++)
            {
                int block = (first + i) / 32, within = i % 32;
                ((ushort*)row.Scales)[block] = stored;
                sbyte code = scale == 0 ? (sbyte)0 : (sbyte)MathF.Round(values[i] / scale);
                (within < 16 ? row.Quants : row.High)[(16 * block) + (within % 16)] = (byte)code;
            }
        }
    }
}
