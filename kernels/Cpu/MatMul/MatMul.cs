using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Memory;
using Quern.Kernels.Cpu.Tiles;

namespace Quern.Kernels.Cpu.MatMul;

/// <summary>
/// Chooses how <c>y = x Wᵀ + bias</c> is computed. Rows that lie interleaved: by assembled kernels, for any number of tokens, with quantised activations where weights are, or for prompts on the tile unit with
/// both as bfloat16 numbers, but of binary32 and binary16 weights. Otherwise few tokens, fast mode: row by row from the blocks with quantised activations (bound by memory). Many
/// tokens, or exact mode, or a format without dot products: panels decoded to binary32 (bound by arithmetic, and more exact).
/// </summary>
internal sealed unsafe class MatMul(ThreadTeam team, ComputeMode mode) : IDisposable
{
    /// <summary>From how many tokens on decoding a panel costs less than another pass over the blocks for each token.</summary>
    internal const int PanelTokens = 12;

    /// <summary>From how many tokens on decoding to tiles costs less than kernels over codes.</summary>
    internal const int TileTokens = 32;

    private const int RowsPerChunk = 64;
    private const int TokensPerChunk = 8;
    private const int ChunksPerThread = 4;
    private const int GroupsPerChunk = 16;

    private readonly ScratchBlock _placed = new();
    private readonly ScratchBlock _scratch = new();
    private ActivationForm _form;

    /// <summary>How kernels want activations.</summary>
    private enum FormKind
    {
        /// <summary>As they are.</summary>
        None,

        /// <summary>Quantised for rows as stored.</summary>
        Rows,

        /// <summary>As <see cref="InterleavedActivations"/> has them.</summary>
        Interleaved,

        /// <summary>As <see cref="TileLayout"/> has them.</summary>
        Tiles,
    }

    /// <summary>Products of the same x; see <see cref="Backend.MatMul(Tensor, ReadOnlySpan{Product})"/>.</summary>
    public void Run(Tensor x, ReadOnlySpan<Product> products)
    {
        _form = default;
        foreach (Product product in products) Multiply(x, product.Weights, 0, product.Bias is { } bias ? (float*)bias.Address : null, product.Y);
    }

    /// <summary>The product with one matrix of a stack.</summary>
    /// <param name="x">[n, cols].</param>
    /// <param name="weights">The stack.</param>
    /// <param name="index">Which matrix.</param>
    /// <param name="y">[n, rows].</param>
    public void Run(Tensor x, WeightMatrix weights, int index, Tensor y)
    {
        _form = default;
        Multiply(x, weights, index, null, y);
    }

    public void Dispose()
    {
        _placed.Dispose();
        _scratch.Dispose();
    }

    private void Multiply(Tensor x, WeightMatrix weights, int index, float* bias, Tensor y)
    {
        if (weights.Interleaved is { } interleaved)
        {
            // Weights of more than bfloat16's digits are kept because their digits count.
            if (Isa.HasAmx && x.Rows >= TileTokens && interleaved.Layout.Element is (FloatElement.None or FloatElement.Brain)) Tiles(x, interleaved, interleaved.Matrix(index), bias, y);
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
        ActivationForm form = layout.Element != FloatElement.None
            ? new ActivationForm(FormKind.Interleaved) { Floats = true }
            : new ActivationForm(FormKind.Interleaved) { Offset = layout.Offset, PerSixteen = layout.PerSixteen };
        InterleavedProduct product = new()
        {
            Weights = matrix,
            GroupBytes = weights.GroupBytes,
            Rows = weights.Rows,
            Cols = weights.Cols,
            X = Place(form, InterleavedProduct.ActivationBytes(layout, weights.Cols, x.Rows), out bool isPlaced),
            Bias = bias,
            Y = (float*)y.Address,
            YStride = y.Stride,
        };
        product.Choose(layout, x.Rows);
        if (!isPlaced) team.Run(new PlaceJob(x, layout, product.X), x.Rows, TokensPerChunk);
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
            X = Place(new ActivationForm(FormKind.Tiles), TileProduct.ActivationBytes(weights.Cols, x.Rows), out bool isPlaced),
            Bias = bias,
            Y = (float*)y.Address,
            YStride = y.Stride,
        };
        product.Scratch = (byte*)_scratch.Require(product.ScratchBytes * team.Threads);
        if (!isPlaced) team.Run(new TileJob(x, product.X), x.Rows, TokensPerChunk);
        int perThread = (weights.Groups + team.Threads - 1) / team.Threads;
        team.Run(product, weights.Groups, Math.Min((perThread + 1) & -2, TileProduct.MaxGroups));
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
        ActivationKind kind = weights.Format.Activation;
        if (kind != ActivationKind.F32)
        {
            product.XBytes = Q8Vector.BytesNeeded(kind, x.Cols);
            product.X = Place(new ActivationForm(FormKind.Rows) { Kind = kind }, product.XBytes * x.Rows, out bool isPlaced);
            if (!isPlaced) team.Run(new QuantiseJob(x, kind, product.X, product.XBytes), x.Rows, TokensPerChunk);
        }

        int chunk = Math.Min(RowsPerChunk, Math.Max(8, weights.Rows / (8 * team.Threads) & ~7));
        team.Run(new RowJob(product, weights.Format.RowKernel), weights.Rows, chunk);
    }

    // Where x goes in a form, and whether it is there already, from the product before.
    private byte* Place(ActivationForm form, long bytes, out bool isPlaced)
    {
        isPlaced = form == _form;
        _form = form;
        return (byte*)_placed.Require(bytes);
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
        product.Scratch = (byte*)_scratch.Require(product.PanelBytes * team.Threads);
        team.Run(product, weights.Rows, product.PanelRows);
    }

    /// <summary>What decides the bytes of placed activations, beside x.</summary>
    private readonly record struct ActivationForm(FormKind Form)
    {
        public ActivationKind Kind { get; init; }

        public bool Floats { get; init; }

        public int Offset { get; init; }

        public bool PerSixteen { get; init; }
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
