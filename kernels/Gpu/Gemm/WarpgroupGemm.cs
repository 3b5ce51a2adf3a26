using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu.Gemm;

/// <summary>What all products on warpgroups share.</summary>
internal static class WarpgroupGemm
{
    /// <summary>Two warpgroups of 64 rows.</summary>
    public const int Threads = 256;

    /// <summary>Rows of weights of a group.</summary>
    public const int Rows = 128;

    /// <summary>How much of the inner dimension is multiplied from barrier to barrier: four blocks of 32.</summary>
    public const int Depth = 128;

    /// <summary>Activations are read for this many tokens, whatever lies behind the last one.</summary>
    public const int MostTokens = 256;
}

/// <summary>
/// <c>y = x Wᵀ + bias</c> for many tokens on a Hopper card, x and decoded weights in 16 bits, sums in binary32. A group computes 128 rows of up to 256 tokens. Weights never see shared memory:
/// a lane reads and decodes what it multiplies, whole blocks of its two rows, and the order of activations (<see cref="NarrowActivations"/>) is such that they meet. The products of half
/// a piece run while the next half is decoded; tokens are copied a piece ahead, and of three stages one may still be read by the slower warpgroup.
/// Grid: (tokens, rows of weights), tokens first, so that neighbours share weights. Only on such a card.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, section 9.7.15; Thakkar et al., "CUTLASS", products of mixed types on Hopper.
/// </summary>
internal static class WarpgroupGemm<TPanel, TTile>
    where TPanel : unmanaged, IWeightPanel
    where TTile : unmanaged, ITokenTile
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Weights, activations in the panel's order, destination.</param>
    public static void Kernel(DeviceMemory memory, GemmArguments a)
    {
        if (!CudaAsm.IsSupported) return;
        bool isHalf = default(TPanel).IsHalf;
        int tiles = default(TTile).Tiles, thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;
        uint shared = WarpgroupTile.Declare(tiles);
        TokenRange range = a.Range(memory, Grid.IdxX, 32 * tiles);
        if (range.First >= range.End) return;
        int firstRow = Grid.IdxY * WarpgroupGemm.Rows, pieces = a.Width / WarpgroupGemm.Depth;
        uint tileBytes = (uint)(32 * tiles * 128), stageBytes = 2 * tileBytes;

        // Sixteen threads bring a token's 256 bytes: eight each for a tile of 64.
        int chunk = thread & 15, token = thread >> 4;
        uint place = shared + ((uint)(chunk >> 3) * tileBytes) + (uint)(token * 128) + (uint)(((chunk & 7) ^ (token & 7)) << 4), stride = (uint)a.Width * 32;
        ulong x = memory.Address + (ulong)a.X.Values + ((ulong)(range.First + token) * (ulong)a.Width * 2) + (ulong)(chunk * 16);

        int row = firstRow + (16 * warp) + (lane >> 2), last = a.Weights.Rows - 1, quarter = lane & 3;
        long row0 = a.FirstRow + range.FirstRow + IntrinsicMath.Min(row, last), row1 = a.FirstRow + range.FirstRow + IntrinsicMath.Min(row + 8, last);

        WarpgroupTile.CopyLater(tiles, place, x, stride);
        PanelBlock next0 = default(TPanel).LoadQuarter(memory, a.Weights, row0, 0, quarter), next1 = default(TPanel).LoadQuarter(memory, a.Weights, row1, 0, quarter);
        uint stage = 0;
        for (int piece = 0; piece < pieces; piece++)
        {
            WarpgroupTile.WaitForCopies();
            Group.Barrier();

            // The last piece is read once more rather than not.
            int ahead = IntrinsicMath.Min(piece + 1, pieces - 1);
            uint tokens = (shared + stage) >> 4;
            stage = stage == 2 * stageBytes ? 0 : stage + stageBytes;
            WarpgroupTile.CopyLater(tiles, place + stage, x + ((ulong)ahead * (2 * WarpgroupGemm.Depth)), stride);

            PanelBlock v = default(TPanel).Decode(next0, a.Factor), w = default(TPanel).Decode(next1, a.Factor);
            WarpgroupTile.Begin();
            WarpgroupTile.Multiply(isHalf, tiles, v.A.X, w.A.X, v.A.Y, w.A.Y, tokens);
            WarpgroupTile.Multiply(isHalf, tiles, v.A.Z, w.A.Z, v.A.W, w.A.W, tokens + 2);
            WarpgroupTile.Multiply(isHalf, tiles, v.B.X, w.B.X, v.B.Y, w.B.Y, tokens + 4);
            WarpgroupTile.Multiply(isHalf, tiles, v.B.Z, w.B.Z, v.B.W, w.B.W, tokens + 6);
            WarpgroupTile.EndAndWaitForPrevious();

            int farther = IntrinsicMath.Min(piece + 3, pieces - 1);
            default(TPanel).Prefetch(memory, a.Weights, row0, farther, quarter);
            default(TPanel).Prefetch(memory, a.Weights, row1, farther, quarter);
            PanelBlock now0 = next0, now1 = next1;
            next0 = default(TPanel).LoadQuarter(memory, a.Weights, row0, ahead, quarter);
            next1 = default(TPanel).LoadQuarter(memory, a.Weights, row1, ahead, quarter);
            v = default(TPanel).Decode(now0, a.Factor);
            w = default(TPanel).Decode(now1, a.Factor);
            tokens += tileBytes >> 4;
            WarpgroupTile.Begin();
            WarpgroupTile.Multiply(isHalf, tiles, v.C.X, w.C.X, v.C.Y, w.C.Y, tokens);
            WarpgroupTile.Multiply(isHalf, tiles, v.C.Z, w.C.Z, v.C.W, w.C.W, tokens + 2);
            WarpgroupTile.Multiply(isHalf, tiles, v.D.X, w.D.X, v.D.Y, w.D.Y, tokens + 4);
            WarpgroupTile.Multiply(isHalf, tiles, v.D.Z, w.D.Z, v.D.W, w.D.W, tokens + 6);
            WarpgroupTile.EndAndWaitForPrevious();
        }

        WarpgroupTile.WaitForProducts();
        WarpgroupTile.WaitForCopies();
        Group.Barrier();
        WarpgroupTile.Put(tiles, shared + (uint)(((2 * quarter * WarpgroupTile.ResultStride) + (16 * warp) + (lane >> 2)) * 4));
        Group.Barrier();
        Write(memory, a, shared, range, firstRow);
    }

    private static void Write(DeviceMemory memory, GemmArguments a, uint shared, TokenRange range, int firstRow)
    {
        int col = Group.IdxX & 127, row = firstRow + col, count = IntrinsicMath.Min(32 * default(TTile).Tiles, range.End - range.First);
        if (row >= a.Weights.Rows) return;
        float bias = a.Bias >= 0 ? memory.Floats[(a.Bias >> 2) + range.FirstRow + row] : 0f;
        uint place = shared + (uint)(col * 4);
        for (int token = Group.IdxX >> 7; token < count; token += 8)
        {
            float v0 = Sum(place, token), v1 = Sum(place, token + 2), v2 = Sum(place, token + 4), v3 = Sum(place, token + 6);
            a.Write<TPanel>(memory, range.First + token, row, v0, bias);
            if (token + 2 < count) a.Write<TPanel>(memory, range.First + token + 2, row, v1, bias);
            if (token + 4 < count) a.Write<TPanel>(memory, range.First + token + 4, row, v2, bias);
            if (token + 6 < count) a.Write<TPanel>(memory, range.First + token + 6, row, v3, bias);
        }
    }

    private static float Sum(uint place, int token) => TensorTile.Get(place + (uint)(token * WarpgroupTile.ResultStride * 4));
}
