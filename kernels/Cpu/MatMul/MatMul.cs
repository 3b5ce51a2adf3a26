using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Memory;
using Quern.Kernels.Cpu.Tiles;

namespace Quern.Kernels.Cpu.MatMul;

/// <summary>
/// Chooses how <c>y = x Wᵀ + bias</c> is computed. Rows that lie interleaved: by assembled kernels, for any number of tokens, with quantised activations where weights are. Otherwise few tokens, fast mode: row by row from the blocks with quantised activations (bound by memory). Many
/// tokens, or exact mode, or a format without dot products: panels decoded to binary32 (bound by arithmetic, and more exact).
/// </summary>
internal sealed unsafe class MatMul(ThreadTeam team, ComputeMode mode, ScratchBlock scratch)
{
    /// <summary>From how many tokens on decoding a panel costs less than another pass over the blocks for each token.</summary>
    internal const int PanelTokens = 12;

    /// <summary>From how many tokens on decoding to tiles costs less than kernels over codes.</summary>
    internal const int TileTokens = 32;

    private const int RowsPerChunk = 64;
    private const int TokensPerChunk = 8;
    private const int ChunksPerThread = 4;
    private const int GroupsPerChunk = 16;

    /// <summary>One product; see <see cref="Backend.MatMul"/>.</summary>
    /// <param name="x">[n, cols].</param>
    /// <param name="weights">The matrix, or the stack.</param>
    /// <param name="index">Which matrix of the stack.</param>
    /// <param name="bias">[rows] or null.</param>
    /// <param name="y">[n, rows].</param>
    public void Run(Tensor x, WeightMatrix weights, int index, float* bias, Tensor y)
    {
        if (weights.Interleaved is { } interleaved)
        {
            if (Isa.HasAmx && x.Rows >= TileTokens) Tiles(x, interleaved, interleaved.Matrix(index), bias, y);
            else Interleaved(x, interleaved, interleaved.Matrix(index), bias, y);
            return;
        }

        nint address = weights.Matrix(index);
        WeightFormat format = weights.Format;
        bool direct = x.Rows < PanelTokens && mode == ComputeMode.Fast && format.RowKernel != null;
        if (direct) Rows(x, weights, address, bias, y);
        else Panels(x, weights, address, bias, y);
    }

    private void Interleaved(Tensor x, InterleavedWeights weights, byte* matrix, float* bias, Tensor y)
    {
        InterleavedLayout layout = weights.Layout;
        InterleavedProduct product = new()
        {
            Weights = matrix,
            GroupBytes = weights.GroupBytes,
            Rows = weights.Rows,
            Cols = weights.Cols,
            X = (byte*)scratch.Require(InterleavedProduct.ActivationBytes(layout, weights.Cols, x.Rows)),
            Bias = bias,
            Y = (float*)y.Address,
            YStride = y.Stride,
        };
        product.Choose(layout, x.Rows);
        team.Run(new PlaceJob(x, layout, product.X), x.Rows, TokensPerChunk);
        team.Run(product, weights.Groups, Math.Clamp(weights.Groups / (team.Threads * ChunksPerThread), InterleavedLayout.MaxStreams, GroupsPerChunk));
    }

    private void Tiles(Tensor x, InterleavedWeights weights, byte* matrix, float* bias, Tensor y)
    {
        InterleavedLayout layout = weights.Layout;
        TileProduct product = new()
        {
            Weights = matrix,
            GroupBytes = weights.GroupBytes,
            BlockBytes = layout.BlockBytes,
            BlockColumns = layout.BlockColumns,
            Decode = (delegate* unmanaged<TileDecodeArguments*, void>)layout.TileDecoder(),
            Rows = weights.Rows,
            Cols = weights.Cols,
            Tokens = x.Rows,
            Bias = bias,
            Y = (float*)y.Address,
            YStride = y.Stride,
        };
        long activations = TileProduct.ActivationBytes(weights.Cols, x.Rows);
        product.X = (byte*)scratch.Require(activations + (product.ScratchBytes * team.Threads));
        product.Scratch = product.X + activations;
        team.Run(new TileJob(x, product.X), x.Rows, TokensPerChunk);
        int pairs = Math.Clamp((weights.Groups + 1) / 2 / (team.Threads * ChunksPerThread), 1, TileProduct.MaxGroups / 2);
        team.Run(product, weights.Groups, 2 * pairs);
    }

    private void Rows(Tensor x, WeightMatrix weights, nint address, float* bias, Tensor y)
    {
        RowProduct product = new()
        {
            Weights = (byte*)address,
            RowBytes = weights.RowBytes,
            Cols = weights.Cols,
            Tokens = x.Rows,
            X = (byte*)x.Address,
            XBytes = (long)x.Stride * sizeof(float),
            Bias = bias,
            Y = (float*)y.Address,
            YStride = y.Stride,
        };
        if (weights.Format.Activation != ActivationKind.F32) Quantise(x, weights.Format.Activation, ref product);
        int chunk = Math.Min(RowsPerChunk, Math.Max(8, weights.Rows / (8 * team.Threads) & ~7));
        team.Run(new RowJob(product, weights.Format.RowKernel), weights.Rows, chunk);
    }

    private void Quantise(Tensor x, ActivationKind kind, ref RowProduct product)
    {
        product.XBytes = Q8Vector.BytesNeeded(kind, x.Cols);
        product.X = (byte*)scratch.Require(product.XBytes * x.Rows);
        team.Run(new QuantiseJob(x, kind, product.X, product.XBytes), x.Rows, TokensPerChunk);
    }

    private void Panels(Tensor x, WeightMatrix weights, nint address, float* bias, Tensor y)
    {
        PanelProduct product = new()
        {
            Weights = (byte*)address,
            RowBytes = weights.RowBytes,
            Blocks = weights.Cols / weights.Format.Info.BlockLength,
            Decode = weights.Format.DecodeKernel,
            Cols = weights.Cols,
            X = x,
            Bias = bias,
            Y = y,
            PanelRows = PanelProduct.PanelRowsFor(weights.Cols),
        };
        product.Scratch = (byte*)scratch.Require(product.PanelBytes * team.Threads);
        team.Run(product, weights.Rows, product.PanelRows);
    }

    private readonly struct PlaceJob(Tensor x, InterleavedLayout layout, byte* destination) : ITeamJob
    {
        private readonly Tensor _x = x;
        private readonly int _offset = layout.Offset, _stepBytes = layout.ActivationBytes;
        private readonly bool _perSixteen = layout.PerSixteen, _floats = layout.Element != FloatElement.None;
        private readonly byte* _destination = destination;

        public void Run(int from, int to, int worker)
        {
            for (int token = from; token < to; token++)
            {
                int first = token & -InterleavedLayout.MaxTokens, tokens = Math.Min(InterleavedLayout.MaxTokens, _x.Rows - first);
                float* source = (float*)_x.Address + ((nint)token * _x.Stride);
                byte* group = _destination + ((long)_x.Cols / InterleavedLayout.StepColumns * first * _stepBytes);
                if (_floats) InterleavedActivations.Place(source, _x.Cols, tokens, (float*)group + (token - first));
                else InterleavedActivations.Quantize(source, _x.Cols, _offset, _perSixteen, tokens, group + ((token - first) * InterleavedActivations.BlockBytes));
            }
        }
    }

    private readonly struct TileJob(Tensor x, byte* tiles) : ITeamJob
    {
        private readonly Tensor _x = x;
        private readonly byte* _tiles = tiles;

        public void Run(int from, int to, int worker)
        {
            for (int token = from; token < to; token++)
            {
                byte* target = _tiles + (token / TileLayout.Rows * TileLayout.Bytes(_x.Cols)) + (token % TileLayout.Rows * 64);
                TileActivations.Place((float*)_x.Address + ((nint)token * _x.Stride), _x.Cols, target);
            }
        }
    }

    private readonly struct QuantiseJob(Tensor x, ActivationKind kind, byte* destination, long bytes) : ITeamJob
    {
        private readonly Tensor _x = x;
        private readonly ActivationKind _kind = kind;
        private readonly byte* _destination = destination;
        private readonly long _bytes = bytes;

        public void Run(int from, int to, int worker)
        {
            for (int row = from; row < to; row++)
            {
                Q8Vector target = Q8Vector.Place((nint)(_destination + (row * _bytes)), _kind, _x.Cols);
                float* source = (float*)_x.Address + ((nint)row * _x.Stride);
                if (_kind == ActivationKind.Q8Of256) Q8Quantizer.Quantize256(source, _x.Cols, target);
                else Q8Quantizer.Quantize32(source, _x.Cols, target);
            }
        }
    }
}
