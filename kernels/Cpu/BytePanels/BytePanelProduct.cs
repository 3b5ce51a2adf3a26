using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
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

    private const int ColumnsBytes = InterleavedLayout.Rows * BytePanelLayout.BlockColumns * sizeof(float), ScalesBytes = BytePanelLayout.Rows * sizeof(float);

    /// <summary>Tokens that kernels take at a time.</summary>
    public static int TurnTokens => BytePanelKernel.Tokens;

    /// <summary>What kernels want added to codes of weights.</summary>
    public static int Offset => BytePanelLayout.Offset;

    /// <summary>Bytes of a worker: decoded columns of a group, a panel and its scales, outputs.</summary>
    public readonly long ScratchBytes => ColumnsBytes + BytePanelLayout.PanelBytes + ScalesBytes + ((long)Whole(Tokens) * ScalesBytes);

    /// <summary>Panels.</summary>
    public readonly int Items => (Rows + BytePanelLayout.Rows - 1) / BytePanelLayout.Rows;

    /// <summary>Tokens filled up to what kernels take.</summary>
    public static int Whole(int tokens) => (tokens + TurnTokens - 1) / TurnTokens * TurnTokens;

    public readonly void Run(int from, int to, int worker)
    {
        byte* scratch = Scratch + (worker * ScratchBytes);
        for (int panel = from; panel < to; panel++) Panel(panel, scratch);
    }

    private readonly void Panel(int panel, byte* scratch)
    {
        float* columns = (float*)scratch, scales = (float*)(scratch + ColumnsBytes + BytePanelLayout.PanelBytes), y = scales + BytePanelLayout.Rows;
        int first = panel * BytePanelLayout.Groups, groups = Math.Min(BytePanelLayout.Groups, ((Rows + InterleavedLayout.Rows - 1) / InterleavedLayout.Rows) - first);
        ProductSample sample = new(Error != null && panel == 0 ? Tokens : 0);
        BytePanelArguments arguments = new() { Weights = scratch + ColumnsBytes, WeightScales = scales, Y = y, Turns = Whole(Tokens) / TurnTokens };
        new Span<float>(scales, BytePanelLayout.Rows).Clear();
        new Span<float>(y, Whole(Tokens) * BytePanelLayout.Rows).Clear();
        for (int block = 0; block < BytePanelLayout.Blocks(Cols); block++)
        {
            int from = block * BytePanelLayout.BlockColumns, count = Math.Min(BytePanelLayout.BlockColumns, Cols - from);
            arguments.Steps = BytePanelLayout.Steps(Cols, from);
            for (int g = 0; g < groups; g++)
            {
                float* decoded = Decode(first + g, from, count, columns);
                byte* codes = arguments.Weights + (g * BytePanelLayout.GroupBytes);
                PanelWeights.Quantize(decoded, count, Offset, codes, scales + (g * InterleavedLayout.Rows));

                // Activations are zeros there.
                new Span<byte>(codes + (count * InterleavedLayout.Rows), (int)(arguments.Steps * BytePanelLayout.StepColumns - count) * InterleavedLayout.Rows).Clear();
                if (g == 0) sample.Add(X, from, count, decoded);
            }

            arguments.Activations = Placed.Codes(block);
            arguments.Scales = Placed.Scales(block);
            arguments.Corrections = Placed.Corrections(block);
            ((delegate* unmanaged<BytePanelArguments*, void>)BytePanelKernel.Find())(&arguments);
        }

        if (Error != null && panel == 0) *Error = sample.Compare(y, Math.Min(InterleavedLayout.Rows, Rows));
        Finish(y, panel * BytePanelLayout.Rows);
    }

    // Columns of a group as binary32 numbers, [count, 16]: decoded to the target, or where they lie.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // a prompt may be the only one: there is no time to find out that this is hot
    private readonly void Finish(float* sums, int first)
    {
        int rows = Math.Min(BytePanelLayout.Rows, Rows - first);
        for (int t = 0; t < Tokens; t++, sums += BytePanelLayout.Rows)
        {
            float* y = (float*)Y.Address + ((nint)t * Y.Stride) + first;
            int r = 0;
            for (; r + 16 <= rows; r += 16) (Vector512.Load(sums + r) + (Bias == null ? Vector512<float>.Zero : Vector512.Load(Bias + first + r))).Store(y + r);
            for (; r < rows; r++) y[r] = sums[r] + (Bias == null ? 0 : Bias[first + r]);
        }
    }
}
