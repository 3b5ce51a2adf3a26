using System.Runtime.CompilerServices;

namespace Quern.Kernels.Cpu.Interleaved;

/// <summary>What kernels over interleaved rows mean, in obvious loops over the same memory: what the assembled ones are compared with.</summary>
internal static unsafe class InterleavedScalar
{
    /// <summary>The product of <paramref name="streams"/> groups with <paramref name="tokens"/> tokens.</summary>
    public static void Multiply(InterleavedLayout layout, in KernelArguments arguments, int tokens, int streams)
    {
        for (int s = 0; s < streams; s++)
            for (int t = 0; t < tokens; t++)
                for (int r = 0; r < InterleavedLayout.Rows; r++)
                {
                    float* y = (float*)((byte*)arguments.Y + (s * arguments.YStreamBytes) + (t * arguments.YTokenBytes)) + r;
                    *y += Row(layout, arguments.Weights + (s * arguments.StreamBytes), arguments.Activations, arguments.Blocks, r, t, tokens);
                }
    }

    /// <summary>The weight that a group holds for a row and a column.</summary>
    public static float Weight(InterleavedLayout layout, byte* group, int row, int column)
    {
        int element = (column * InterleavedLayout.Rows) + row;
        if (layout.Element == FloatElement.Single) return ((float*)group)[element];
        if (layout.Element == FloatElement.Half) return HalfAt(group, element);
        if (layout.Element == FloatElement.Brain) return BitConverter.UInt32BitsToSingle((uint)((ushort*)group)[element] << 16);
        (nint block, nint step, int inStep, int half) = Locate(layout, group, column);
        float weight = Scale(layout, (byte*)block, (byte*)step, row, half, minimum: false) * (Value(layout, (byte*)step, row, inStep) - layout.Offset);
        return layout.HasMinimums ? weight + Scale(layout, (byte*)block, (byte*)step, row, half, minimum: true) : weight;
    }

    /// <summary>The scale of that weight, for a layout with codes.</summary>
    public static float Scale(InterleavedLayout layout, byte* group, int row, int column)
    {
        (nint block, nint step, _, int half) = Locate(layout, group, column);
        return Scale(layout, (byte*)block, (byte*)step, row, half, minimum: false);
    }

    private static (nint Block, nint Step, int InStep, int Half) Locate(InterleavedLayout layout, byte* group, int column)
    {
        byte* block = group + ((long)(column / layout.BlockColumns) * layout.BlockBytes);
        int inBlock = column % layout.BlockColumns, inStep = inBlock % InterleavedLayout.StepColumns;
        byte* step = block + layout.HeaderBytes + (inBlock / InterleavedLayout.StepColumns * layout.StepBytes);
        return ((nint)block, (nint)step, inStep, layout.PerSixteen ? inStep / 16 : 0);
    }

    private static float Row(InterleavedLayout layout, byte* group, byte* activations, long blocks, int row, int token, int tokens)
    {
        float sum = 0;
        if (layout.Element != FloatElement.None)
        {
            for (int k = 0; k < blocks * layout.BlockColumns; k++) sum += Weight(layout, group, row, k) * ((float*)activations)[((long)k * tokens) + token];
            return sum;
        }

        int halves = layout.ScalesPerStep, columns = InterleavedLayout.StepColumns / halves;
        for (long b = 0; b < blocks; b++)
            for (int i = 0; i < layout.StepsPerBlock; i++)
            {
                byte* block = group + (b * layout.BlockBytes), step = block + layout.HeaderBytes + (i * layout.StepBytes);
                byte* x = activations + ((((b * layout.StepsPerBlock) + i) * tokens) + token) * InterleavedActivations.BlockBytes;
                for (int half = 0; half < halves; half++)
                {
                    int products = *(int*)(x + InterleavedActivations.Corrections + (4 * half));
                    for (int k = half * columns; k < (half + 1) * columns; k++) products += Value(layout, step, row, k) * (sbyte)x[k];
                    sum += *(float*)(x + InterleavedActivations.Scale) * products * Scale(layout, block, step, row, half, minimum: false);
                    if (layout.HasMinimums) sum += Scale(layout, block, step, row, half, minimum: true) * *(float*)(x + InterleavedActivations.Sums + (4 * half));
                }
            }

        return sum;
    }

    private static int Value(InterleavedLayout layout, byte* step, int row, int column)
    {
        byte* codes = step + layout.CodesOffset + (4 * row) + (column % 4);
        int code = 0;
        foreach (CodePiece piece in layout.Pieces(column / 4)) code |= ((codes[64 * piece.Source] >> piece.From) << piece.To) & piece.Mask;
        return layout.Codebook is { } codebook ? codebook[code] : code;
    }

    private static float Scale(InterleavedLayout layout, byte* block, byte* step, int row, int half, bool minimum)
    {
        byte* at = step + (minimum ? layout.MinimumsOffset : 0) + (half * layout.ScaleBytes);
        return layout.Scale switch
        {
            ScaleKind.Half => HalfAt(at, row),
            ScaleKind.Exponent => BitConverter.Int32BitsToSingle(at[row] << 23),
            _ => (sbyte)at[row] * HalfAt(block, (minimum ? InterleavedLayout.Rows : 0) + row),
        };
    }

    private static float HalfAt(byte* at, int index) => Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(at + (2 * index)));
}
