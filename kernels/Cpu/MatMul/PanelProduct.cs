namespace Quern.Kernels.Cpu.MatMul;

/// <summary>
/// A product <c>y[t, r] = Σ_k x[t, k] · w[r, k] + bias[r]</c> in binary32: a thread decodes a panel of weight rows once into memory of its own and
/// uses it for every token, tile by tile. One kernel for every format; the exact mode's only one, and the fast mode's for prompts.
/// </summary>
internal unsafe struct PanelProduct : ITeamJob
{
    /// <summary>Values of k multiplied before the next tile: six tokens of that length stay in the first- and second-level cache.</summary>
    private const int ColsPerPass = 1024;

    /// <summary>First weight block.</summary>
    public byte* Weights;

    /// <summary>Bytes from a row to the next.</summary>
    public long RowBytes;

    /// <summary>Blocks in a row.</summary>
    public long Blocks;

    /// <summary>The format's decoder.</summary>
    public delegate*<byte*, long, float*, void> Decode;

    /// <summary>Values in a row.</summary>
    public int Cols;

    /// <summary>[tokens, cols].</summary>
    public Tensor X;

    /// <summary>[rows] or null.</summary>
    public float* Bias;

    /// <summary>[tokens, rows].</summary>
    public Tensor Y;

    /// <summary>Memory of all workers, <see cref="PanelBytes"/> each.</summary>
    public byte* Scratch;

    /// <summary>Rows in a panel, a multiple of <see cref="Tile.Rows"/>.</summary>
    public int PanelRows;

    /// <summary>Bytes of one worker's panel.</summary>
    public readonly long PanelBytes => (long)PanelRows * Stride(Cols) * sizeof(float);

    /// <summary>Rows that a panel of <paramref name="cols"/> values should have: about half a megabyte, which every second-level cache holds.</summary>
    public static int PanelRowsFor(int cols) => Math.Clamp(512 * 1024 / (cols * sizeof(float)), 4, 32) & ~3;

    public readonly void Run(int from, int to, int worker)
    {
        float* panel = (float*)(Scratch + (worker * PanelBytes));
        for (int row = from; row < to; row += PanelRows) Panel(panel, row, Math.Min(PanelRows, to - row));
    }

    private static int Stride(int cols) => ((cols + 15) & ~15) + 16;

    private readonly void Panel(float* panel, int first, int rows)
    {
        int stride = Stride(Cols), padded = (rows + Tile.Rows - 1) & -Tile.Rows;
        for (int r = 0; r < rows; r++) Decode(Weights + ((first + r) * RowBytes), Blocks, panel + ((nint)r * stride));
        for (int r = rows; r < padded; r++) new Span<float>(panel + ((nint)r * stride), stride).Clear();

        float* sums = stackalloc float[Tile.Rows * Tile.MaxTokens];
        float* x = (float*)X.Address, y = (float*)Y.Address + first;
        for (int k = 0; k < Cols; k += ColsPerPass)
        {
            int cols = Math.Min(ColsPerPass, Cols - k);
            for (int token = 0, tokens; token < X.Rows; token += tokens)
            {
                tokens = Tile.TokensFor(X.Rows - token);
                for (int r = 0; r < rows; r += Tile.Rows)
                {
                    Tile.Multiply(panel + ((nint)r * stride) + k, stride, x + ((nint)token * X.Stride) + k, X.Stride, cols, tokens, sums);
                    Store(sums, y + ((nint)token * Y.Stride) + r, tokens, Math.Min(Tile.Rows, rows - r), Bias == null ? null : Bias + first + r, k == 0);
                }
            }
        }
    }

    private readonly void Store(float* sums, float* y, int tokens, int rows, float* bias, bool begins)
    {
        for (int t = 0; t < tokens; t++, sums += Tile.Rows, y += Y.Stride)
            for (int r = 0; r < rows; r++)
                y[r] = sums[r] + (!begins ? y[r] : bias == null ? 0 : bias[r]);
    }
}
