using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
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
        uint* c = (uint*)&codes;
        switch (layout.CodeBits)
        {
            case 8:
                for (int j = 0; j < 8; j++) Four(low, j, row, c[j]);
                break;
            case 6:
                for (int j = 0; j < 6; j++) Four(low, j, row, c[j] | (((c[6 + (j / 3)] >> (2 * (j % 3))) & 0x03030303) << 6));
                break;
            case 5:
                Fives(c, row, low);
                break;
            case 4:
                Vector128<uint> packed = codes.GetLower().AsUInt32() | (codes.GetUpper().AsUInt32() << 4);
                for (int j = 0; j < 4; j++) Four(low, j, row, ((uint*)&packed)[j]);
                break;
            case 3:
                Threes(c, row, low);
                break;
            default:
                for (int j = 0; j < 2; j++) Four(low, j, row, c[j] | (c[j + 2] << 2) | (c[j + 4] << 4) | (c[j + 6] << 6));
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(byte* at, int vector, int row, uint bytes) => Unsafe.WriteUnaligned(at + (64 * vector) + (4 * row), bytes);

    // What InterleavedLayout.Pieces says, four columns at a time.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fives(uint* c, int row, byte* at)
    {
        Four(at, 0, row, c[0] | ((c[5] & 0x07070707) << 5));
        Four(at, 1, row, c[1] | ((c[5] & 0x18181818) << 2) | ((c[6] & 0x01010101) << 7));
        Four(at, 2, row, c[2] | ((c[6] & 0x0e0e0e0e) << 4));
        Four(at, 3, row, c[3] | ((c[6] & 0x10101010) << 1) | ((c[7] & 0x03030303) << 6));
        Four(at, 4, row, c[4] | ((c[7] & 0x1c1c1c1c) << 3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Threes(uint* c, int row, byte* at)
    {
        Four(at, 0, row, c[0] | (c[3] << 3) | ((c[6] & 0x03030303) << 6));
        Four(at, 1, row, c[1] | (c[4] << 3) | ((c[6] & 0x04040404) << 4) | ((c[7] & 0x01010101) << 7));
        Four(at, 2, row, c[2] | (c[5] << 3) | ((c[7] & 0x06060606) << 5));
    }

    /// <summary>What of the layout the loops need, worked out once a group.</summary>
    private readonly struct Geometry(InterleavedLayout layout)
    {
        public readonly ScaleKind Scale = layout.Scale;
        public readonly bool HasMinimums = layout.HasMinimums, PerSixteen = layout.PerSixteen;
        public readonly int CodeBits = layout.CodeBits, HeaderBytes = layout.HeaderBytes, StepsPerBlock = layout.StepsPerBlock, StepBytes = layout.StepBytes;
        public readonly int MinimumsOffset = layout.MinimumsOffset, CodesOffset = layout.CodesOffset, BlockBytes = layout.BlockBytes;
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
