using ILGPU;
using ILGPU.Runtime.Cuda;
using Quern.Kernels.Gpu.Experts;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Gemm;

/// <summary>Arguments of <see cref="TensorGemm{TPanel, TTile}"/>.</summary>
internal readonly struct GemmArguments(DeviceWeights weights, float factor, long firstRow, NarrowPlaces x, int tokens, int width, long bias, DeviceTensor y, SortedPairs pairs = default)
{
    public readonly DeviceWeights Weights = weights;

    /// <summary>What weights made binary16 are multiplied by, a power of two, and what takes it back.</summary>
    public readonly float Factor = factor, InverseFactor = 1 / factor;

    /// <summary>Row of the planes that is row 0 of this product.</summary>
    public readonly long FirstRow = firstRow;

    /// <summary>The activations, [tokens, width], zero behind the columns.</summary>
    public readonly NarrowPlaces X = x;
    public readonly int Tokens = tokens;

    /// <summary>Columns up to a multiple of <see cref="TensorGemm.Depth"/>.</summary>
    public readonly int Width = width;

    /// <summary>Byte offset of the bias, [rows], or −1; of experts [experts, rows].</summary>
    public readonly long Bias = bias;
    public readonly DeviceTensor Y = y;

    /// <summary>Where tokens are pairs of a token and an expert: x has a row for each, in their order, and y has them where they came from.</summary>
    public readonly SortedPairs Pairs = pairs;

    /// <summary>The part of the product that is some of its rows.</summary>
    public GemmArguments OfRows(int first, int count) => new(
        new DeviceWeights(Weights.Quants, Weights.High, Weights.Scales, Weights.Super, count, Weights.Cols), Factor, FirstRow + first, X, Tokens, Width,
        Bias < 0 ? Bias : Bias + (first * sizeof(float)), new DeviceTensor(Y.Offset + (first * sizeof(float)), Y.Cols, Y.Stride));

    /// <summary>Writes one number of the result.</summary>
    public void Write<TPanel>(DeviceMemory memory, int token, int row, float sum, float bias)
        where TPanel : unmanaged, IWeightPanel
    {
        if (default(TPanel).IsHalf) sum *= memory.Floats[(X.Scales >> 2) + token] * InverseFactor;
        memory.Floats[Y.Row(RowOf(memory, token)) + row] = sum + bias;
    }

    /// <summary>What a group of threads multiplies.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="tile">Which group along the tokens it is.</param>
    /// <param name="length">Tokens of a group.</param>
    public TokenRange Range(DeviceMemory memory, int tile, int length)
    {
        if (Pairs.Are == 0) return new TokenRange(tile * length, Tokens, 0);
        Uint4 own = memory.Bytes.Cast<Uint4>()[(Pairs.Tiles >> 4) + tile];
        return new TokenRange((int)own.Y, (int)own.Z, (int)own.X * Weights.Rows);
    }

    /// <summary>Row of y of a token.</summary>
    public int RowOf(DeviceMemory memory, int token) => Pairs.Are == 0 ? token : memory.Ints[(Pairs.Order >> 2) + token];
}

/// <summary>The tokens of a group of threads, which may be fewer than it has room for, and the first row of the stacked matrices that they meet.</summary>
internal readonly struct TokenRange(int first, int end, int firstRow)
{
    public readonly int First = first;

    /// <summary>The one behind the last.</summary>
    public readonly int End = end;
    public readonly int FirstRow = firstRow;
}

/// <summary>How many tokens a group computes: 32 times as many as a warp has tiles of 16.</summary>
internal interface ITokenTile
{
    /// <summary>8, 4, 2 or 1.</summary>
    int Tiles { get; }
}

internal readonly struct Tokens256 : ITokenTile
{
    public int Tiles => 8;
}

internal readonly struct Tokens128 : ITokenTile
{
    public int Tiles => 4;
}

internal readonly struct Tokens64 : ITokenTile
{
    public int Tiles => 2;
}

internal readonly struct Tokens32 : ITokenTile
{
    public int Tiles => 1;
}

/// <summary>What all products on tensor cores share.</summary>
internal static class TensorGemm
{
    /// <summary>Threads of a group on a card: warps two by four, each 16 to 64 tokens by 32 rows.</summary>
    public const int Threads = 256;

    /// <summary>Rows of weights of a group.</summary>
    public const int Rows = 128;

    /// <summary>How much of the inner dimension is in shared memory.</summary>
    public const int Depth = 64;

    /// <summary>Tokens and rows of a group without tensor cores, which is one warp.</summary>
    public const int PlainTokens = 8, PlainRows = 32;
}

/// <summary>
/// <c>y = x Wᵀ + bias</c> for many tokens, x and decoded weights in 16 bits, sums in binary32. On a card a group computes 128 rows of up to 128 tokens: while the tensor cores multiply one
/// piece of 64 of the inner dimension, the next piece of activations is copied to shared memory and the next one of weights to registers, from which it is decoded when all are done.
/// Grid: (tokens, rows of weights), tokens first, so that neighbours share weights. Elsewhere a lane computes a row for eight tokens, with the same roundings.
/// Source: Markidis et al. 2018, arXiv 1803.04014 (tensor cores); Thakkar et al., "CUTLASS", efficient GEMM (tiles of groups and warps).
/// </summary>
internal static class TensorGemm<TPanel, TTile>
    where TPanel : unmanaged, IWeightPanel
    where TTile : unmanaged, ITokenTile
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Weights, activations, destination.</param>
    public static void Kernel(DeviceMemory memory, GemmArguments a)
    {
        if (CudaAsm.IsSupported)
        {
            OnTensorCores(memory, a);
            return;
        }

        Plain(memory, a);
    }

    private static void OnTensorCores(DeviceMemory memory, GemmArguments a)
    {
        uint tiles = TensorTile.Declare();
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5, tokenTiles = default(TTile).Tiles;
        TokenRange range = a.Range(memory, Grid.IdxX, 32 * tokenTiles);
        if (range.First >= range.End) return;
        int firstRow = Grid.IdxY * TensorGemm.Rows, pieces = a.Width / TensorGemm.Depth;

        // Eight threads bring a token's 128 bytes, two threads a row's 64 weights.
        uint tokenPlace = tiles + (uint)((thread >> 3) * 128) + (uint)(((thread & 7) ^ ((thread >> 3) & 7)) << 4);
        ulong x = memory.Address + (ulong)a.X.Values + (ulong)((thread & 7) * 16);
        ulong x0 = x + Token(a, range, thread, 0), x1 = x + Token(a, range, thread, 32), x2 = x + Token(a, range, thread, 64), x3 = x + Token(a, range, thread, 96);
        long row = a.FirstRow + range.FirstRow + IntrinsicMath.Min(firstRow + (thread >> 1), a.Weights.Rows - 1);
        uint rowPlace = tiles + (2 * TensorTile.TileBytes) + (uint)((thread >> 1) * 128), exchange = (uint)(thread >> 1) & 7, half = (uint)(thread & 1) * 4;

        // Where a lane's rows of the matrices lie, of a warp's first tiles.
        uint tokens = tiles + (uint)((((warp >> 2) * 16 * tokenTiles) + (lane & 15)) * 128) + (uint)(((lane >> 4) ^ (lane & 7)) << 4);
        uint rows = tiles + (2 * TensorTile.TileBytes) + (uint)((((warp & 3) * 32) + (lane & 7) + ((lane >> 4) << 3)) * 128) + (uint)((((lane >> 3) & 1) ^ (lane & 7)) << 4);

        CopyTokens(tokenPlace, x0, x1, x2, x3, 0);
        PanelBlock next = default(TPanel).Load(memory, a.Weights, row, thread & 1);
        uint buffer = 0;
        for (int piece = 0; piece < pieces; piece++)
        {
            PanelBlock w = default(TPanel).Decode(next, a.Factor);
            TensorTile.Put(rowPlace + ((half ^ exchange) << 4), w.A);
            TensorTile.Put(rowPlace + (((half + 1) ^ exchange) << 4), w.B);
            TensorTile.Put(rowPlace + (((half + 2) ^ exchange) << 4), w.C);
            TensorTile.Put(rowPlace + (((half + 3) ^ exchange) << 4), w.D);
            TensorTile.WaitForCopies();
            Group.Barrier();

            // The last piece is read once more rather than not: no branch, so that reading and multiplying mix.
            int ahead = IntrinsicMath.Min(piece + 1, pieces - 1);
            next = default(TPanel).Load(memory, a.Weights, row, (2 * ahead) + (thread & 1));
            CopyTokens(tokenPlace + (buffer ^ TensorTile.TileBytes), x0, x1, x2, x3, (ulong)ahead * (2 * TensorGemm.Depth));
            uint now = tokens + buffer;
            TensorTile.Multiply(default(TPanel).IsHalf, tokenTiles, now, rows);
            TensorTile.Multiply(default(TPanel).IsHalf, tokenTiles, now ^ 32, rows ^ 32);
            TensorTile.Multiply(default(TPanel).IsHalf, tokenTiles, now ^ 64, rows ^ 64);
            TensorTile.Multiply(default(TPanel).IsHalf, tokenTiles, now ^ 96, rows ^ 96);
            buffer ^= TensorTile.TileBytes;
            Group.Barrier();
        }

        TensorTile.WaitForCopies();
        Group.Barrier();
        uint place = tiles + (uint)((((warp >> 2) * 32) + (lane >> 2)) * TensorTile.ResultStride * 4) + (uint)((((warp & 3) * 32) + ((lane & 3) * 2)) * 4);
        TensorTile.Put(0, place);
        Group.Barrier();
        Write(memory, a, tiles, range, firstRow, 0);
        if (tokenTiles < 4) return;
        Group.Barrier();
        TensorTile.Put(1, place);
        Group.Barrier();
        Write(memory, a, tiles, range, firstRow, 2);
    }

    // Byte offset of a thread's token among the activations; behind the last token it is that one again.
    private static ulong Token(GemmArguments a, TokenRange range, int thread, int ahead) =>
        (ulong)IntrinsicMath.Min(range.First + (thread >> 3) + ahead, range.End - 1) * (ulong)a.Width * 2;

    private static void CopyTokens(uint place, ulong x0, ulong x1, ulong x2, ulong x3, ulong at)
    {
        TensorTile.CopyLater(place, x0 + at);
        if (default(TTile).Tiles > 1) TensorTile.CopyLater(place + 4096, x1 + at);
        if (default(TTile).Tiles < 4) return;
        TensorTile.CopyLater(place + 8192, x2 + at);
        TensorTile.CopyLater(place + 12288, x3 + at);
    }

    // From shared memory to y: tiles of tokens `first` and `first` + 1 of every warp.
    private static void Write(DeviceMemory memory, GemmArguments a, uint tiles, TokenRange range, int firstRow, int first)
    {
        int col = Group.IdxX & 127, row = firstRow + col;
        if (row >= a.Weights.Rows) return;
        float bias = a.Bias >= 0 ? memory.Floats[(a.Bias >> 2) + range.FirstRow + row] : 0f;
        for (int i = Group.IdxX >> 7; i < 64; i += 2)
        {
            int tile = first + ((i >> 4) & 1), token = range.First + ((i >> 5) * 16 * default(TTile).Tiles) + (tile * 16) + (i & 15);
            if (tile >= default(TTile).Tiles || token >= range.End) continue;
            a.Write<TPanel>(memory, token, row, TensorTile.Get(tiles + (uint)(((i * TensorTile.ResultStride) + col) * 4)), bias);
        }
    }

    private static void Plain(DeviceMemory memory, GemmArguments a)
    {
        int row = (Grid.IdxY * TensorGemm.PlainRows) + Group.IdxX;
        TokenRange range = a.Range(memory, Grid.IdxX, TensorGemm.PlainTokens);
        if (row >= a.Weights.Rows || range.First >= range.End) return;
        Float8 sums = default;
        for (int block = 0; block < a.Width / 32; block++)
        {
            PanelBlock w = default(TPanel).Decode(default(TPanel).Load(memory, a.Weights, a.FirstRow + range.FirstRow + row, block), a.Factor);
            sums.V0 += Dot(memory, a, w, range, 0, block);
            sums.V1 += Dot(memory, a, w, range, 1, block);
            sums.V2 += Dot(memory, a, w, range, 2, block);
            sums.V3 += Dot(memory, a, w, range, 3, block);
            sums.V4 += Dot(memory, a, w, range, 4, block);
            sums.V5 += Dot(memory, a, w, range, 5, block);
            sums.V6 += Dot(memory, a, w, range, 6, block);
            sums.V7 += Dot(memory, a, w, range, 7, block);
        }

        float bias = a.Bias >= 0 ? memory.Floats[(a.Bias >> 2) + range.FirstRow + row] : 0f;
        Store(memory, a, range, 0, row, sums.V0, bias);
        Store(memory, a, range, 1, row, sums.V1, bias);
        Store(memory, a, range, 2, row, sums.V2, bias);
        Store(memory, a, range, 3, row, sums.V3, bias);
        Store(memory, a, range, 4, row, sums.V4, bias);
        Store(memory, a, range, 5, row, sums.V5, bias);
        Store(memory, a, range, 6, row, sums.V6, bias);
        Store(memory, a, range, 7, row, sums.V7, bias);
    }

    private static void Store(DeviceMemory memory, GemmArguments a, TokenRange range, int ahead, int row, float sum, float bias)
    {
        if (range.First + ahead < range.End) a.Write<TPanel>(memory, range.First + ahead, row, sum, bias);
    }

    private static float Dot(DeviceMemory memory, GemmArguments a, PanelBlock w, TokenRange range, int ahead, int block)
    {
        ArrayView<Uint4> x = memory.Bytes.Cast<Uint4>();
        long place = (a.X.Values >> 4) + ((long)IntrinsicMath.Min(range.First + ahead, range.End - 1) * (a.Width >> 3)) + (4 * block);
        return Dot(w.A, x[place]) + Dot(w.B, x[place + 1]) + Dot(w.C, x[place + 2]) + Dot(w.D, x[place + 3]);
    }

    private static float Dot(Uint4 w, Uint4 x) => Dot(w.X, x.X) + Dot(w.Y, x.Y) + Dot(w.Z, x.Z) + Dot(w.W, x.W);

    private static float Dot(uint w, uint x) => default(TPanel).IsHalf
        ? (Lane.Widen(w) * Lane.Widen(x)) + (Lane.Widen(w >> 16) * Lane.Widen(x >> 16))
        : (Interop.IntAsFloat(w << 16) * Interop.IntAsFloat(x << 16)) + (Interop.IntAsFloat(w & 0xffff0000) * Interop.IntAsFloat(x & 0xffff0000));
}
