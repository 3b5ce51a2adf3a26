using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.Interleaved;

/// <summary>A block format whose rows can lie interleaved: what of a block goes where.</summary>
internal unsafe interface IInterleavedFormat : IWeightFormat
{
    /// <summary>Where codes and scales go.</summary>
    static abstract InterleavedLayout Layout { get; }

    /// <summary>The codes of 32 columns, one a byte, without the offset. AVX2.</summary>
    /// <param name="block">The block.</param>
    /// <param name="step">Which 32 columns of it.</param>
    static abstract Vector256<byte> StepCodes(byte* block, int step);

    /// <summary>The block's scale and minimum as the layout's binary16 numbers, or the scale's exponent.</summary>
    static abstract (ushort Scale, ushort Minimum) BlockScales(byte* block);

    /// <summary>With <see cref="ScaleKind.Super"/>, the signed bytes of a step: scale and minimum of the first and, per sixteen, of the last columns.</summary>
    static virtual SubScales StepScales(byte* block, int step) => default;
}

/// <summary>Scales and minimums of a row's step, in the order in which the layout has them.</summary>
internal readonly record struct SubScales(sbyte Scale, sbyte Scale2, sbyte Minimum, sbyte Minimum2);

/// <summary>Lays rows of a format interleaved. A group of fewer than sixteen rows is filled up with rows of zeros.</summary>
internal static unsafe class Interleaver<T>
    where T : struct, IInterleavedFormat
{
    /// <summary>Lays one group.</summary>
    /// <param name="source">The first row's blocks.</param>
    /// <param name="rowBytes">Bytes from row to row.</param>
    /// <param name="rows">Rows, 1 to 16.</param>
    /// <param name="cols">Values in a row.</param>
    /// <param name="group">Destination, <see cref="InterleavedLayout.GroupBytes"/> long.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // a model is laid once: there is no time to find out that this is hot
    public static void Run(byte* source, long rowBytes, int rows, int cols, byte* group)
    {
        InterleavedLayout layout = T.Layout;
        if (rows < InterleavedLayout.Rows) new Span<byte>(group, checked((int)layout.GroupBytes(cols))).Clear();
        Geometry geometry = new(layout);
        int blocks = cols / layout.BlockColumns;
        for (int b = 0; b < blocks; b++, group += geometry.BlockBytes, source += T.Info.BlockBytes)
            for (int row = 0; row < rows; row++) Block(in geometry, source + (row * rowBytes), row, group);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block(in Geometry layout, byte* block, int row, byte* target)
    {
        (ushort scale, ushort minimum) = T.BlockScales(block);
        if (layout.Scale == ScaleKind.Super)
        {
            Half(target, row, scale);
            if (layout.HasMinimums) Half(target, InterleavedLayout.Rows + row, minimum);
        }

        byte* step = target + layout.HeaderBytes;
        for (int i = 0; i < layout.StepsPerBlock; i++, step += layout.StepBytes)
        {
            switch (layout.Scale)
            {
                case ScaleKind.Half:
                    Half(step, row, scale);
                    if (layout.HasMinimums) Half(step + layout.MinimumsOffset, row, minimum);
                    break;
                case ScaleKind.Exponent:
                    step[row] = (byte)scale;
                    break;
                default:
                    Sub(in layout, T.StepScales(block, i), step + row);
                    break;
            }

            Codes(in layout, T.StepCodes(block, i), row, step + layout.CodesOffset);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Half(byte* at, int index, ushort value) => Unsafe.WriteUnaligned(at + (2 * index), value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sub(in Geometry layout, SubScales scales, byte* at)
    {
        at[0] = (byte)scales.Scale;
        if (layout.PerSixteen) at[16] = (byte)scales.Scale2;
        if (!layout.HasMinimums) return;
        at += layout.MinimumsOffset;
        at[0] = (byte)scales.Minimum;
        if (layout.PerSixteen) at[16] = (byte)scales.Minimum2;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Codes(in Geometry layout, Vector256<byte> codes, int row, byte* low)
    {
        byte* high = low + layout.LowBytes;
        Vector256<uint> fours = codes.AsUInt32();
        switch (layout.CodeBits)
        {
            case 8:
                for (int j = 0; j < 8; j++) Four(low, j, row, ((uint*)&fours)[j]);
                return;
            case >= 4:
                Vector256<byte> nibbles = codes & Vector256.Create((byte)15);
                Vector128<uint> packed = nibbles.GetLower().AsUInt32() | (nibbles.GetUpper().AsUInt32() << 4);
                for (int j = 0; j < 4; j++) Four(low, j, row, ((uint*)&packed)[j]);
                break;
            default:
                Pairs(fours & Vector256.Create(0x03030303u), row, low);
                break;
        }

        if (layout.CodeBits == 6) Pairs((fours >> 4) & Vector256.Create(0x03030303u), row, high);
        if (layout.CodeBits is 3 or 5) Mask((uint)Avx2.MoveMask((fours << (8 - layout.CodeBits)).AsByte()), row, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(byte* at, int vector, int row, uint bytes) => Unsafe.WriteUnaligned(at + (64 * vector) + (4 * row), bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pairs(Vector256<uint> pairs, int row, byte* at)
    {
        Vector256<uint> placed = Avx2.ShiftLeftLogicalVariable(pairs, Vector256.Create(0u, 2, 4, 6, 0, 2, 4, 6));
        placed |= Avx2.Shuffle(placed, 0b10_11_00_01);
        placed |= Avx2.Shuffle(placed, 0b01_00_11_10);
        Four(at, 0, row, placed.GetElement(0));
        Four(at, 1, row, placed.GetElement(4));
    }

    // The masks of the eight vectors have four bits for each row; two rows share a byte.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mask(uint bits, int row, byte* at)
    {
        for (int j = 0; j < 8; j++, bits >>= 4)
        {
            byte* shared = at + (8 * j) + (row / 2);
            int shift = 4 * (row % 2);
            *shared = (byte)((*shared & ~(15 << shift)) | (int)((bits & 15) << shift));
        }
    }

    /// <summary>What of the layout the loops need, worked out once a group.</summary>
    private readonly struct Geometry(InterleavedLayout layout)
    {
        public readonly ScaleKind Scale = layout.Scale;
        public readonly bool HasMinimums = layout.HasMinimums, PerSixteen = layout.PerSixteen;
        public readonly int CodeBits = layout.CodeBits, HeaderBytes = layout.HeaderBytes, StepsPerBlock = layout.StepsPerBlock, StepBytes = layout.StepBytes;
        public readonly int MinimumsOffset = layout.MinimumsOffset, CodesOffset = layout.CodesOffset, LowBytes = layout.LowBytes, BlockBytes = layout.BlockBytes;
    }
}

/// <summary>Lays rows of floating-point numbers interleaved: of each column the sixteen rows' numbers.</summary>
internal static unsafe class FloatInterleaver<T>
    where T : struct, IFloatFormat
{
    /// <summary>Lays one group; see <see cref="Interleaver{T}.Run"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(byte* source, long rowBytes, int rows, int cols, byte* group)
    {
        if (rows < InterleavedLayout.Rows) new Span<byte>(group, checked((int)T.Layout.GroupBytes(cols))).Clear();
        const int Tile = 32; // columns of all rows that stay in the first-level cache
        for (int k = 0; k < cols; k += Tile)
            for (int row = 0; row < rows; row++)
            {
                byte* from = source + (row * rowBytes);
                if (T.Info.BlockBytes == sizeof(float))
                    for (int i = k; i < k + Tile; i++) ((uint*)group)[(i * InterleavedLayout.Rows) + row] = ((uint*)from)[i];
                else
                    for (int i = k; i < k + Tile; i++) ((ushort*)group)[(i * InterleavedLayout.Rows) + row] = ((ushort*)from)[i];
            }
    }
}
