using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Tiles;

/// <summary>
/// A product <c>y[t, r] = Σ_k x[t, k] · w[r, k] + bias[r]</c> on the tile unit, for prompts, in groups of 16 weight rows: a thread decodes a stretch of rows once to bfloat16 tiles that stay in its
/// second-level cache, and all tokens pass them by, 32 at a time.
/// </summary>
internal unsafe struct TileProduct : ITeamJob
{
    /// <summary>Most groups that a thread decodes at a time.</summary>
    public const int MaxGroups = 16;

    /// <summary>Columns of a pass: with <see cref="MaxGroups"/> a megabyte of tiles.</summary>
    private const int PassColumns = 2048;

    /// <summary>Columns that every block is a part of.</summary>
    private const int PartAlignment = 256;

    private const int PairTokens = 2 * TileLayout.Rows;

    /// <summary>First group.</summary>
    public byte* Weights;

    /// <summary>Bytes of a group.</summary>
    public long GroupBytes;

    /// <summary>Bytes of a block of sixteen rows.</summary>
    public int BlockBytes;

    /// <summary>Columns of a block.</summary>
    public int BlockColumns;

    /// <summary>Decodes a group.</summary>
    public delegate* unmanaged<TileDecodeArguments*, void> Decode;

    /// <summary>Outputs.</summary>
    public int Rows;

    /// <summary>Inputs.</summary>
    public int Cols;

    /// <summary>Number of tokens.</summary>
    public int Tokens;

    /// <summary>Activations, <see cref="ActivationBytes"/>.</summary>
    public byte* X;

    /// <summary>[rows] or null.</summary>
    public float* Bias;

    /// <summary>[tokens, rows].</summary>
    public float* Y;

    /// <summary>Values from a token's outputs to the next one's.</summary>
    public int YStride;

    /// <summary>Memory of all workers, <see cref="ScratchBytes"/> each.</summary>
    public byte* Scratch;

    /// <summary>Steps that stand for one on both sides: 1, or <see cref="TileLayout.Parts"/> for binary16 weights, which are more than bfloat16 numbers.</summary>
    public int Parts;

    /// <summary>Bytes of a worker's decoded tiles.</summary>
    public readonly long ScratchBytes => MaxGroups * Bytes(Math.Min(Cols, PartColumns));

    // As many as whole steps of them fill a pass.
    private readonly int PartColumns => PassColumns / Parts / PartAlignment * PartAlignment;

    /// <summary>Bytes of the activations of so many tokens: whole tiles.</summary>
    public static long ActivationBytes(int cols, int tokens, int parts) => (tokens + TileLayout.Rows - 1) / TileLayout.Rows * parts * TileLayout.Bytes(cols);

    public readonly void Run(int from, int to, int worker)
    {
        byte* tiles = Scratch + (worker * ScratchBytes);
        for (int group = from; group < to; group += MaxGroups) Stretch(group, Math.Min(to, group + MaxGroups), tiles);
    }

    private readonly void Stretch(int from, int to, byte* tiles)
    {
        int columns = PartColumns;
        for (int k = 0; k < Cols; k += columns)
        {
            Pass pass = new(from, to, k, Math.Min(columns, Cols - k), tiles, Bytes(Math.Min(columns, Cols - k)));
            DecodeRows(in pass);
            for (int token = 0; token < Tokens; token += PairTokens) Multiply(in pass, token);
        }

        if (Bias != null) AddBias(from * TileLayout.Rows, Math.Min(to * TileLayout.Rows, Rows));
    }

    private readonly void DecodeRows(in Pass pass)
    {
        for (int group = pass.From; group < pass.To; group++)
        {
            TileDecodeArguments arguments = new()
            {
                Weights = Weights + (group * GroupBytes) + ((long)(pass.Column / BlockColumns) * BlockBytes),
                Blocks = pass.Columns / BlockColumns,
                Tiles = pass.Tiles(group),
                ColumnBytes = BlockBytes / BlockColumns,
                BlockBytes = BlockBytes,
            };
            if (Parts == 1) Decode(&arguments);
            else DecodeParts(in arguments);
        }
    }

    // Rounded numbers twice, and what rounding took off.
    private static void DecodeParts(in TileDecodeArguments all)
    {
        for (long step = 0; step < all.Blocks; step++)
        {
            TileDecodeArguments arguments = all with { Weights = all.Weights + (step * all.BlockBytes), Blocks = 1, Tiles = all.Tiles + (step * TileLayout.Parts * TileLayout.TileBytes) };
            TileFloatKernel.PlaceParts(FloatElement.Half, ref arguments);
        }
    }

    // Whole tiles go straight to y; tokens or rows that fill none go through memory of our own.
    private readonly void Multiply(in Pass pass, int token)
    {
        int tokens = Math.Min(PairTokens, Tokens - token), whole = tokens / TileLayout.Rows, rest = tokens % TileLayout.Rows;
        int full = Math.Min(pass.To, Rows / TileLayout.Rows), pairs = (full - pass.From) / 2, paired = pass.From + (2 * pairs);
        if (whole > 0)
        {
            Straight(in pass, token, whole, pass.From, pairs, 2);
            Straight(in pass, token, whole, paired, full - paired, 1);
        }

        for (int t = 0; t < whole && full < pass.To; t++) Ragged(in pass, token + (t * TileLayout.Rows), TileLayout.Rows, full);
        for (int group = pass.From; group < pass.To && rest > 0; group++) Ragged(in pass, token + (whole * TileLayout.Rows), rest, group);
    }

    private readonly void Straight(in Pass pass, int token, int tokenTiles, int group, int turns, int rowTiles)
    {
        if (turns == 0) return;
        TileProductArguments arguments = Arguments(in pass, token, group, turns);
        arguments.Y = Y + ((long)token * YStride) + (group * TileLayout.Rows);
        arguments.YTokenBytes = (long)YStride * sizeof(float);
        arguments.TurnYBytes = rowTiles * TileLayout.Rows * sizeof(float);
        if (pass.Column > 0)
        {
            arguments.Before = arguments.Y;
            arguments.BeforeTokenBytes = arguments.YTokenBytes;
            arguments.TurnBeforeBytes = arguments.TurnYBytes;
        }

        arguments.TurnWeightBytes = rowTiles * arguments.WeightBytes;
        ((delegate* unmanaged<TileProductArguments*, void>)TileProductKernel.Find(tokenTiles, rowTiles))(&arguments);
    }

    private readonly void Ragged(in Pass pass, int token, int tokens, int group)
    {
        float* outputs = stackalloc float[TileLayout.Rows * TileLayout.Rows];
        TileProductArguments arguments = Arguments(in pass, token, group, 1);
        arguments.Y = outputs;
        arguments.YTokenBytes = TileLayout.Rows * sizeof(float);
        ((delegate* unmanaged<TileProductArguments*, void>)TileProductKernel.Find(1, 1))(&arguments);
        int first = group * TileLayout.Rows, rows = Math.Min(TileLayout.Rows, Rows - first);
        for (int t = 0; t < tokens; t++)
        {
            float* y = Y + ((long)(token + t) * YStride) + first;
            for (int r = 0; r < rows; r++) y[r] = outputs[(t * TileLayout.Rows) + r] + (pass.Column == 0 ? 0 : y[r]);
        }
    }

    private readonly TileProductArguments Arguments(in Pass pass, int token, int group, int turns) => new()
    {
        Activations = X + (token / TileLayout.Rows * Bytes(Cols)) + Bytes(pass.Column),
        ActivationBytes = Bytes(Cols),
        Weights = pass.Tiles(group),
        WeightBytes = pass.GroupBytes,
        Steps = Parts * pass.Columns / TileLayout.StepColumns,
        Turns = turns,
    };

    private readonly long Bytes(int cols) => Parts * TileLayout.Bytes(cols);

    private readonly void AddBias(int from, int to)
    {
        for (int t = 0; t < Tokens; t++)
        {
            float* y = Y + ((long)t * YStride);
            for (int r = from; r < to; r++) y[r] += Bias[r];
        }
    }

    /// <summary>Some columns of some groups, and where they are decoded to.</summary>
    private readonly struct Pass(int from, int to, int column, int columns, byte* tiles, long groupBytes)
    {
        public readonly int From = from, To = to, Column = column, Columns = columns;
        public readonly long GroupBytes = groupBytes;

        public byte* Tiles(int group) => tiles + ((group - From) * GroupBytes);
    }
}
