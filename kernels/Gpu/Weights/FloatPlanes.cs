using ILGPU;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Gpu.Weights;

/// <summary>binary32, of a matrix that is stored so or, in exact mode, of any. A row is padded with zeros to 16 bytes. Source: IEEE 754-2019.</summary>
internal readonly unsafe struct PlainF32 : IFloatFormat, IPlaneLayout
{
    public int Values => 4;

    public bool IsHalf => false;

    public Float8 Decode(Uint4 bytes) => new()
    {
        V0 = Interop.IntAsFloat(bytes.X),
        V1 = Interop.IntAsFloat(bytes.Y),
        V2 = Interop.IntAsFloat(bytes.Z),
        V3 = Interop.IntAsFloat(bytes.W),
    };

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row) => format.Decode((nint)blocks, new Span<float>(row.Quants, cols));
}

/// <summary>binary16, as stored, or of a format that has no layout of its own. A row is padded with zeros to 16 bytes. Source: IEEE 754-2019.</summary>
internal readonly unsafe struct PlainF16 : IFloatFormat, IPlaneLayout
{
    public int Values => 8;

    public bool IsHalf => true;

    public Float8 Decode(Uint4 bytes) => new()
    {
        V0 = Lane.FromHalf(bytes.X & 0xffff),
        V1 = Lane.FromHalf(bytes.X >> 16),
        V2 = Lane.FromHalf(bytes.Y & 0xffff),
        V3 = Lane.FromHalf(bytes.Y >> 16),
        V4 = Lane.FromHalf(bytes.Z & 0xffff),
        V5 = Lane.FromHalf(bytes.Z >> 16),
        V6 = Lane.FromHalf(bytes.W & 0xffff),
        V7 = Lane.FromHalf(bytes.W >> 16),
    };

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row)
    {
        if (format.Info.Name == "F16")
        {
            Buffer.MemoryCopy(blocks, row.Quants, 2L * cols, 2L * cols);
            return;
        }

        int length = format.Info.BlockLength, bytes = format.Info.BlockBytes;
        Span<float> values = stackalloc float[256];
        for (int first = 0; first < cols; first += length, blocks += bytes)
        {
            format.Decode((nint)blocks, values[..length]);
            for (int i = 0; i < length; i++) ((ushort*)row.Quants)[first + i] = Cpu.Float16.FromSingle(values[i]);
        }
    }
}

/// <summary>bfloat16, as stored. A row is padded with zeros to 16 bytes. Source: Google, "bfloat16 numerical format".</summary>
internal readonly unsafe struct PlainBF16 : IFloatFormat, IPlaneLayout
{
    public int Values => 8;

    public bool IsHalf => false;

    public Float8 Decode(Uint4 bytes) => new()
    {
        V0 = Interop.IntAsFloat(bytes.X << 16),
        V1 = Interop.IntAsFloat(bytes.X & 0xffff0000),
        V2 = Interop.IntAsFloat(bytes.Y << 16),
        V3 = Interop.IntAsFloat(bytes.Y & 0xffff0000),
        V4 = Interop.IntAsFloat(bytes.Z << 16),
        V5 = Interop.IntAsFloat(bytes.Z & 0xffff0000),
        V6 = Interop.IntAsFloat(bytes.W << 16),
        V7 = Interop.IntAsFloat(bytes.W & 0xffff0000),
    };

    public static void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row) => Buffer.MemoryCopy(blocks, row.Quants, 2L * cols, 2L * cols);
}
