using ILGPU;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu.MatMul;

namespace Quern.Kernels.Gpu.Weights;

/// <summary>
/// A weight matrix as kernels see it: up to four planes, each a matrix of its own whose rows begin at multiples of 16 bytes. A block is 32 values of a row, a lane's work. Where a
/// plane lies is a byte offset in the arena, a multiple of 256; what is in it, each format says in its file. Row r of the matrix is row r of every plane:
/// <c>plane + r · bytes of the plane's row</c>; for experts r = expert · Rows + row.
/// </summary>
internal readonly struct DeviceWeights(long quants, long high, long scales, long super, int rows, int cols)
{
    /// <summary>16 bytes a block: nibbles, or the first sixteen of 32 bytes. Of floating-point formats: the values, a row padded with zeros to 16 bytes.</summary>
    public readonly long Quants = quants;

    /// <summary>What nibbles lack: upper bits, or the last sixteen of 32 bytes.</summary>
    public readonly long High = high;

    /// <summary>Scales of blocks.</summary>
    public readonly long Scales = scales;

    /// <summary>Scales of 256 values.</summary>
    public readonly long Super = super;

    /// <summary>Rows of one matrix.</summary>
    public readonly int Rows = rows;

    /// <summary>Values of a row.</summary>
    public readonly int Cols = cols;

    /// <summary>Blocks of a row.</summary>
    public int Blocks => Cols >> 5;
}

/// <summary>A matrix on a card. <see cref="WeightMatrix.Address"/> is that of the plane of quants.</summary>
internal sealed record DeviceMatrix(string Name, WeightFormat Format, int Count, int Rows, int Cols, nint Address, DeviceFormat Layout, DeviceWeights Planes)
    : WeightMatrix(Name, Format, Count, Rows, Cols, Address)
{
    /// <summary>What weights are multiplied by to be binary16: a power of two.</summary>
    public required float Factor { get; init; }
}

/// <summary>
/// A block of 32 weights decoded for byte products: <c>w[i] = scale · code[i] − minimum</c>, the scale being <see cref="Scale"/> for values 0…15 and
/// <see cref="UpperScale"/> for 16…31 (the same where the format says so).
/// </summary>
internal struct BlockCodes
{
    /// <summary>Codes 0…3, signed bytes.</summary>
    public uint C0;

    /// <summary>Codes 4…7.</summary>
    public uint C1;

    /// <summary>Codes 8…11.</summary>
    public uint C2;

    /// <summary>Codes 12…15.</summary>
    public uint C3;

    /// <summary>Codes 16…19.</summary>
    public uint C4;

    /// <summary>Codes 20…23.</summary>
    public uint C5;

    /// <summary>Codes 24…27.</summary>
    public uint C6;

    /// <summary>Codes 28…31.</summary>
    public uint C7;

    /// <summary>Of codes 0…15, or of all.</summary>
    public float Scale;

    /// <summary>Of codes 16…31, where <see cref="IBlockFormat.HasTwoScales"/>.</summary>
    public float UpperScale;

    /// <summary>What is taken off, where <see cref="IBlockFormat.HasMinimum"/>.</summary>
    public float Minimum;

    /// <summary>Reads and decodes a block.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="w">The matrix.</param>
    /// <param name="row">Row, over all matrices of a stack.</param>
    /// <param name="block">Block of the row.</param>
    public static BlockCodes Load<T>(DeviceMemory memory, DeviceWeights w, long row, int block)
        where T : unmanaged, IBlockFormat => default(T).Decode(default(T).Read(memory, RowAddress.Of<T>(memory, w, row), block, 0));
}

/// <summary>A block of weights as it was read; what is in it, each format knows. Fields that a format does not use cost nothing.</summary>
internal struct RawBlock
{
    public Uint4 A;
    public Uint4 B;
    public uint C;
    public uint D;
    public uint E;
}

/// <summary>
/// Bytes that 64 blocks, 2,048 weights, have in the planes beside that of quants, where they have 1,024; 0 where a format has none. In each plane a row begins at a multiple of 16 bytes.
/// </summary>
internal readonly struct BlockPlanes(int high = 0, int scales = 0, int super = 0)
{
    public readonly int High = high;
    public readonly int Scales = scales;
    public readonly int Super = super;

    /// <summary>Bytes of a row of so many blocks in a plane in which 64 blocks have so many.</summary>
    public static int RowBytes(int blocks, int bytes) => (((blocks * bytes) >> 6) + 15) & ~15;
}

/// <summary>Addresses of a row in the planes of its matrix.</summary>
internal struct RowAddress
{
    public ulong Quants;
    public ulong High;
    public ulong Scales;
    public ulong Super;

    /// <summary>Those of a block format.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="w">The matrix.</param>
    /// <param name="row">Row, over all matrices of a stack.</param>
    public static RowAddress Of<T>(DeviceMemory memory, DeviceWeights w, long row)
        where T : unmanaged, IBlockFormat
    {
        BlockPlanes planes = default(T).Planes;
        return new RowAddress
        {
            Quants = memory.Address + (ulong)(w.Quants + (row * w.Blocks * 16)),
            High = memory.Address + (ulong)(w.High + (row * BlockPlanes.RowBytes(w.Blocks, planes.High))),
            Scales = memory.Address + (ulong)(w.Scales + (row * BlockPlanes.RowBytes(w.Blocks, planes.Scales))),
            Super = memory.Address + (ulong)(w.Super + (row * BlockPlanes.RowBytes(w.Blocks, planes.Super))),
        };
    }
}

/// <summary>Addresses in shared memory of a row's part of 64 blocks: where each plane's begins.</summary>
internal struct SliceRow
{
    public uint Quants;
    public uint High;
    public uint Scales;
    public uint Super;
}

/// <summary>How a kernel reads a block format. Implemented by empty structs, so that a kernel is compiled for each.</summary>
internal interface IBlockFormat
{
    /// <summary>Whether codes 16…31 have a scale of their own.</summary>
    bool HasTwoScales { get; }

    /// <summary>Whether something is taken off.</summary>
    bool HasMinimum { get; }

    /// <summary>How much of each plane is a block's.</summary>
    BlockPlanes Planes { get; }

    /// <summary>Reads a block, early. An address is made of the row's and the block's number, which costs less than to keep each up.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="row">Its row.</param>
    /// <param name="block">Block of the row.</param>
    /// <param name="ahead">0, or 1 for the block 32 further.</param>
    RawBlock Read(DeviceMemory memory, RowAddress row, int block, int ahead);

    /// <summary>Reads a block from shared memory.</summary>
    /// <param name="row">A row of a slice.</param>
    /// <param name="block">Block of the slice, below 64.</param>
    RawBlock Read(SliceRow row, int block);

    /// <summary>Decodes what was read.</summary>
    BlockCodes Decode(RawBlock raw);

    /// <summary>Product of what was read and activations in bytes, over <see cref="Factor"/> and their scale: with as few instructions as there can be, which are what these products cost.</summary>
    float Dot(RawBlock raw, GemvActivations x);

    /// <summary>1, or 1/16 where nibbles are multiplied where they are.</summary>
    float Factor { get; }
}

/// <summary>How a kernel reads a floating-point format: 16 bytes at a time.</summary>
internal interface IFloatFormat
{
    /// <summary>Values in 16 bytes: 8 or 4.</summary>
    int Values { get; }

    /// <summary>Whether they are binary16.</summary>
    bool IsHalf { get; }

    /// <summary>Decodes 16 bytes; the last four stay 0 where there are only four values.</summary>
    Float8 Decode(Uint4 bytes);
}

/// <summary>Eight values.</summary>
internal struct Float8
{
    public float V0;
    public float V1;
    public float V2;
    public float V3;
    public float V4;
    public float V5;
    public float V6;
    public float V7;

    /// <summary>Eight binary32 numbers as they lie in memory.</summary>
    public static Float8 OfBits(Uint4 low, Uint4 high) => new()
    {
        V0 = Interop.IntAsFloat(low.X),
        V1 = Interop.IntAsFloat(low.Y),
        V2 = Interop.IntAsFloat(low.Z),
        V3 = Interop.IntAsFloat(low.W),
        V4 = Interop.IntAsFloat(high.X),
        V5 = Interop.IntAsFloat(high.Y),
        V6 = Interop.IntAsFloat(high.Z),
        V7 = Interop.IntAsFloat(high.W),
    };
}
