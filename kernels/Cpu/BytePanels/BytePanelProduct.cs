using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.BytePanels;

/// <summary>
/// A product <c>y[t, r] = Σ_k x[t, k] · w[r, k] + bias[r]</c> for prompts with both sides in bytes (<see cref="BytePanelLayout"/>): a block of a panel is decoded and quantised once, stays in the first-level
/// cache, and all tokens pass it by. An item is a panel.
/// </summary>
internal unsafe struct BytePanelProduct : ITeamJob
{
    /// <summary>First group.</summary>
    public byte* Weights;

    /// <summary>Bytes of a group.</summary>
    public long GroupBytes;

    /// <summary>Bytes of a block of sixteen rows.</summary>
    public int BlockBytes;

    /// <summary>Columns of a block.</summary>
    public int BlockColumns;

    /// <summary>What weights are that have no codes.</summary>
    public FloatElement Element;

    /// <summary>Decodes a group with codes to columns.</summary>
    public delegate* unmanaged<TileDecodeArguments*, void> DecodeCodes;

    /// <summary>Outputs.</summary>
    public int Rows;

    /// <summary>Inputs.</summary>
    public int Cols;

    /// <summary>Number of tokens.</summary>
    public int Tokens;

    /// <summary>The tokens' values, for what is looked at.</summary>
    public Tensor X;

    /// <summary>The same, placed, of <see cref="Whole"/> tokens.</summary>
    public ByteActivations Placed;

    /// <summary>[rows] or null.</summary>
    public float* Bias;

    /// <summary>[tokens, rows].</summary>
    public Tensor Y;

    /// <summary>Memory of all workers, <see cref="ScratchBytes"/> each.</summary>
    public byte* Scratch;

    /// <summary>Gets the errors of some outputs, or null where they are not looked at.</summary>
    public ProductError* Error;

    /// <summary>Bytes of outputs that stay in a thread's second-level cache: a block of activations comes once from the third for all panels whose outputs are there.</summary>
    private const int KeptBytes = 1 << 19;

    private const int ColumnsBytes = InterleavedLayout.Rows * BytePanelLayout.BlockColumns * sizeof(float), ScalesBytes = BytePanelLayout.Rows * sizeof(float);
    private const int TileSumsBytes = TileByteKernel.Tokens * 2 * InterleavedLayout.Rows * sizeof(int);

    /// <summary>Tokens that kernels take at a time.</summary>
    public static int TurnTokens => Isa.HasAmx ? TileByteKernel.Tokens : BytePanelKernel.Tokens;

    /// <summary>What kernels want added to codes of weights.</summary>
    public static int Offset => Isa.HasAmx ? 0 : BytePanelLayout.Offset;

    /// <summary>The kernel of this process.</summary>
    public static nint Kernel => Isa.HasAmx ? TileByteKernel.Find() : BytePanelKernel.Find();

    /// <summary>Bytes of a worker: decoded columns of a group, a panel and its scales, outputs.</summary>
    public readonly long ScratchBytes => ColumnsBytes + BytePanelLayout.PanelBytes + ScalesBytes + TileSumsBytes + ((long)MostPanels * Whole(Tokens) * ScalesBytes);

    /// <summary>Most panels that a thread computes at a time.</summary>
    public readonly int MostPanels => Math.Clamp(KeptBytes / (Whole(Tokens) * ScalesBytes), 1, 4);

    /// <summary>Panels.</summary>
    public readonly int Items => (Rows + BytePanelLayout.Rows - 1) / BytePanelLayout.Rows;

    /// <summary>Tokens filled up to what kernels take.</summary>
    public static int Whole(int tokens) => (tokens + TurnTokens - 1) / TurnTokens * TurnTokens;

    public readonly void Run(int from, int to, int worker)
    {
        byte* scratch = Scratch + (worker * ScratchBytes);
        int most = MostPanels;
        for (int panel = from; panel < to; panel += most) Stretch(panel, Math.Min(to, panel + most), scratch);
    }

    private readonly void Stretch(int from, int to, byte* scratch)
    {
        float* columns = (float*)scratch, scales = (float*)(scratch + ColumnsBytes + BytePanelLayout.PanelBytes), outputs = scales + BytePanelLayout.Rows + (TileSumsBytes / sizeof(float));
        byte* codes = scratch + ColumnsBytes;
        long panelOutputs = (long)Whole(Tokens) * BytePanelLayout.Rows;
        ProductSample sample = new(Error != null && from == 0 ? Tokens : 0);
        new Span<float>(outputs, checked((int)(panelOutputs * (to - from)))).Clear();
        for (int column = 0; column < Cols; column += BytePanelLayout.BlockColumns)
        {
            int block = column / BytePanelLayout.BlockColumns;
            for (int panel = from; panel < to; panel++)
            {
                Quantize(panel, column, columns, codes, scales, ref sample);
                if (panel + 1 < to) Ask(panel + 1, column);
                else if (column + BytePanelLayout.BlockColumns < Cols) Ask(from, column + BytePanelLayout.BlockColumns);
                BytePanelArguments arguments = new()
                {
                    Weights = codes,
                    WeightScales = scales,
                    Activations = Placed.Codes(block),
                    Scales = Placed.Scales(block),
                    Corrections = Placed.Corrections(block),
                    Y = outputs + ((panel - from) * panelOutputs),
                    Steps = BytePanelLayout.Steps(Cols, column),
                    Turns = Whole(Tokens) / TurnTokens,
                    TileSums = (int*)(scales + BytePanelLayout.Rows),
                };
                ((delegate* unmanaged<BytePanelArguments*, void>)Kernel)(&arguments);
            }
        }

        if (Error != null && from == 0) *Error = sample.Compare(outputs, Math.Min(InterleavedLayout.Rows, Rows));
        Finish(outputs, panelOutputs, from, to);
    }

    // Has the next block of weights fetched while the kernel runs.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Ask(int panel, int column)
    {
        int first = panel * BytePanelLayout.Groups, groups = (Rows + InterleavedLayout.Rows - 1) / InterleavedLayout.Rows;
        int bytes = Math.Min(BytePanelLayout.BlockColumns, Cols - column) / BlockColumns * BlockBytes;
        for (int group = first; group < Math.Min(groups, first + BytePanelLayout.Groups); group++)
        {
            byte* block = Weights + (group * GroupBytes) + ((long)(column / BlockColumns) * BlockBytes);
            for (int line = 0; line < bytes; line += 64) Sse.Prefetch1(block + line);
        }
    }

    // A block of a panel. Rows that there are not have the scale 0, and columns that there are not meet activations of 0.
    private readonly void Quantize(int panel, int column, float* columns, byte* codes, float* scales, ref ProductSample sample)
    {
        int count = Math.Min(BytePanelLayout.BlockColumns, Cols - column), groups = (Rows + InterleavedLayout.Rows - 1) / InterleavedLayout.Rows;
        for (int g = 0; g < BytePanelLayout.Groups; g++, codes += BytePanelLayout.GroupBytes, scales += InterleavedLayout.Rows)
        {
            int group = (panel * BytePanelLayout.Groups) + g;
            if (group >= groups)
            {
                new Span<float>(scales, InterleavedLayout.Rows).Clear();
                continue;
            }

            float* decoded = Decode(group, column, count, columns);
            PanelWeights.Quantize(decoded, count, Offset, codes, scales);
            if (group == 0) sample.Add(X, column, count, decoded);
        }
    }

    // Columns of a group as binary32 numbers, [count, 16]: decoded to the target, or where they lie.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // a prompt may be the only one: there is no time to find out that this is hot
    private readonly float* Decode(int group, int from, int count, float* target)
    {
        byte* blocks = Weights + (group * GroupBytes) + ((long)(from / BlockColumns) * BlockBytes);
        int numbers = count * InterleavedLayout.Rows;
        switch (Element)
        {
            case FloatElement.Single:
                return (float*)blocks;
            case FloatElement.Half:
                WidenKernel.Run((ushort*)blocks, numbers, target);
                return target;
            case FloatElement.Brain:
                for (int i = 0; i < numbers; i += 16) (Vector512.WidenLower(Vector512.Create(Vector256.Load((ushort*)blocks + i), default)) << 16).Store((uint*)target + i);
                return target;
            default:
                TileDecodeArguments arguments = new() { Weights = blocks, Blocks = count / BlockColumns, Tiles = (byte*)target };
                DecodeCodes(&arguments);
                return target;
        }
    }

    // Token by token, so that what is written lies together.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Finish(float* sums, long panelOutputs, int from, int to)
    {
        for (int t = 0; t < Tokens; t++)
            for (int panel = from; panel < to; panel++)
            {
                float* sum = sums + ((panel - from) * panelOutputs) + ((long)t * BytePanelLayout.Rows);
                int first = panel * BytePanelLayout.Rows, rows = Math.Min(BytePanelLayout.Rows, Rows - first), r = 0;
                float* y = (float*)Y.Address + ((nint)t * Y.Stride) + first;
                for (; r + 16 <= rows; r += 16) (Vector512.Load(sum + r) + (Bias == null ? Vector512<float>.Zero : Vector512.Load(Bias + first + r))).Store(y + r);
                for (; r < rows; r++) y[r] = sum[r] + (Bias == null ? 0 : Bias[first + r]);
            }
    }
}
