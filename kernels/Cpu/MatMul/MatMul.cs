using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.BytePanels;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Memory;
using Quern.Kernels.Cpu.Tiles;

namespace Quern.Kernels.Cpu.MatMul;

/// <summary>
/// Chooses how <c>y = x Wᵀ + bias</c> is computed. Rows that lie interleaved: by assembled kernels, for any number of tokens, with quantised activations where weights are, or for prompts on the tile unit with
/// both as bfloat16 numbers (binary16 weights as two of them, binary32 ones not); prompts with both in bytes where that is asked for. Otherwise few tokens, fast mode: row by row from the blocks with quantised activations (bound by memory). Many
/// tokens, or exact mode, or a format without dot products: panels decoded to binary32 (bound by arithmetic, and more exact).
/// </summary>
internal sealed unsafe class MatMul(ThreadTeam team, ComputeMode mode, bool bytePrompts) : IDisposable
{
    /// <summary>From how many tokens on decoding a panel costs less than another pass over the blocks for each token.</summary>
    internal const int PanelTokens = 12;

    /// <summary>From how many tokens on decoding, to tiles or to bytes, costs less than kernels over codes.</summary>
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

        /// <summary>As <see cref="TileLayout"/> has them.</summary>
        Tiles,

        /// <summary>The same in two parts.</summary>
        TileParts,

        /// <summary>As <see cref="BytePanelLayout"/> has them.</summary>
        Bytes,
    }

    /// <summary>How far prompts in bytes are from exact products.</summary>
    public ProductError Error { get; private set; }

    /// <summary>Products of the same x; see <see cref="Backend.MatMul(Tensor, ReadOnlySpan{Product})"/>.</summary>
    public void Run(Tensor x, ReadOnlySpan<Product> products)
    {
        _form = default;
        bool together = true;
        foreach (Product product in products) together &= IsInterleaved(product.Weights, x.Rows);
        if (together)
        {
            Interleaved(x, products, 0);
            return;
        }

        foreach (Product product in products) Multiply(x, product, 0);
    }

    /// <summary>The product with one matrix of a stack.</summary>
    /// <param name="x">[n, cols].</param>
    /// <param name="weights">The stack.</param>
    /// <param name="index">Which matrix.</param>
    /// <param name="y">[n, rows].</param>
    public void Run(Tensor x, WeightMatrix weights, int index, Tensor y)
    {
        _form = default;
        Multiply(x, new Product(weights, null, y), index);
    }

    public void Dispose()
    {
        _placed.Dispose();
        _scratch.Dispose();
    }

    private bool IsInterleaved(WeightMatrix weights, int tokens) => weights.Interleaved is { } interleaved && !IsBytes(tokens) && !IsTiled(interleaved.Layout, tokens);

    private bool IsBytes(int tokens) => bytePrompts && tokens >= TileTokens;

    // Weights in binary32 are few, and there because their digits count: routers, for one.
    private static bool IsTiled(InterleavedLayout layout, int tokens) => Isa.HasAmx && tokens >= TileTokens && layout.Element != FloatElement.Single;

    private void Multiply(Tensor x, in Product product, int index)
    {
        WeightMatrix weights = product.Weights;
        if (IsInterleaved(weights, x.Rows))
        {
            Interleaved(x, new ReadOnlySpan<Product>(in product), index);
            return;
        }

        float* bias = product.Bias is { } vector ? (float*)vector.Address : null;
        if (weights.Interleaved is { } interleaved)
        {
            if (IsBytes(x.Rows)) Bytes(x, interleaved, interleaved.Matrix(index), bias, product.Y);
            else Tiles(x, interleaved, interleaved.Matrix(index), bias, product.Y);
            return;
        }

        nint address = weights.Matrix(index);
        WeightFormat format = weights.Format;
        bool direct = x.Rows < PanelTokens && mode == ComputeMode.Fast && format.RowKernel != null;
        if (direct) Rows(x, weights, address, bias, product.Y);
        else Panels(x, weights, address, bias, product.Y);
    }

    // All products in one loop of the team: a thread that is done with its part of one goes on with the next.
    private void Interleaved(Tensor x, ReadOnlySpan<Product> products, int index)
    {
        InterleavedProduct* jobs = stackalloc InterleavedProduct[products.Length];
        long* offsets = stackalloc long[products.Length + 1];
        int groups = 0;
        offsets[0] = 0;
        for (int i = 0; i < products.Length; i++)
            offsets[i + 1] = offsets[i] + (FirstOfForm(products, i) == i ? InterleavedProduct.ActivationBytes(Layout(products[i]), x.Cols, x.Rows) : 0);
        byte* placed = (byte*)_placed.Require(offsets[products.Length]);
        _form = default;
        for (int i = 0; i < products.Length; i++)
        {
            Product product = products[i];
            InterleavedWeights weights = product.Weights.Interleaved!;
            int first = FirstOfForm(products, i);
            jobs[i] = new InterleavedProduct
            {
                Weights = weights.Matrix(index),
                GroupBytes = weights.GroupBytes,
                Rows = weights.Rows,
                Cols = weights.Cols,
                X = placed + offsets[first],
                Bias = product.Bias is { } bias ? (float*)bias.Address : null,
                Y = (float*)product.Y.Address,
                YStride = product.Y.Stride,
            };
            jobs[i].Choose(weights.Layout, x.Rows);
            groups += weights.Groups;
            if (first == i) team.Run(new PlaceJob(x, weights.Layout, jobs[i].X), x.Rows, TokensPerChunk);
        }

        team.Run(new InterleavedProducts(jobs, products.Length), groups, Math.Clamp(groups / (team.Threads * ChunksPerThread), InterleavedLayout.MaxStreams, GroupsPerChunk));
    }

    private static InterleavedLayout Layout(in Product product) => product.Weights.Interleaved!.Layout;

    // The first product that wants activations in the same form.
    private static int FirstOfForm(ReadOnlySpan<Product> products, int product)
    {
        InterleavedLayout wanted = Layout(products[product]);
        int first = 0;
        while (!wanted.SharesActivations(Layout(products[first]))) first++;
        return first;
    }

    private void Tiles(Tensor x, InterleavedWeights weights, byte* matrix, float* bias, Tensor y)
    {
        InterleavedLayout layout = weights.Layout;
        int parts = layout.Element == FloatElement.Half ? TileLayout.Parts : 1;
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
            X = Place(new ActivationForm(parts == 1 ? FormKind.Tiles : FormKind.TileParts), TileProduct.ActivationBytes(weights.Cols, x.Rows, parts), out bool isPlaced),
            Parts = parts,
            Bias = bias,
            Y = (float*)y.Address,
            YStride = y.Stride,
        };
        product.Scratch = (byte*)_scratch.Require(product.ScratchBytes * team.Threads);
        if (!isPlaced) team.Run(new TileJob(x, product.X, parts), x.Rows, TokensPerChunk);
        int perThread = (weights.Groups + team.Threads - 1) / team.Threads;
        team.Run(product, weights.Groups, Math.Min((perThread + 1) & -2, TileProduct.MaxGroups));
    }

    private void Bytes(Tensor x, InterleavedWeights weights, byte* matrix, float* bias, Tensor y)
    {
        InterleavedLayout layout = weights.Layout;
        int whole = BytePanelProduct.Whole(x.Rows);
        byte* placed = Place(new ActivationForm(FormKind.Bytes), ByteActivations.Bytes(weights.Cols, whole), out bool isPlaced);
        ProductError error = default;
        BytePanelProduct product = new()
        {
            Weights = matrix,
            GroupBytes = weights.GroupBytes,
            BlockBytes = layout.BlockBytes,
            BlockColumns = layout.BlockColumns,
            Element = layout.Element,
            DecodeCodes = layout.Element != FloatElement.None ? null : (delegate* unmanaged<TileDecodeArguments*, void>)layout.ColumnDecoder(),
            Rows = weights.Rows,
            Cols = weights.Cols,
            Tokens = x.Rows,
            X = x,
            Placed = new ByteActivations(placed, weights.Cols, whole),
            Bias = bias,
            Y = y,
            Error = weights.IsCompared ? null : &error,
        };
        product.Scratch = (byte*)_scratch.Require(product.ScratchBytes * team.Threads);
        if (!isPlaced) team.Run(new ByteJob(x, product.Placed), whole, TokensPerChunk);
        team.Run(product, product.Items, Math.Clamp(product.Items / (team.Threads * ChunksPerThread), 1, product.MostPanels));
        weights.IsCompared = true;
        Error += error;
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

    private readonly struct TileJob(Tensor x, byte* tiles, int parts) : ITeamJob
    {
        private readonly Tensor _x = x;
        private readonly byte* _tiles = tiles;
        private readonly int _parts = parts;

        public void Run(int from, int to, int worker)
        {
            for (int token = from; token < to; token++)
            {
                float* values = (float*)_x.Address + ((nint)token * _x.Stride);
                byte* target = _tiles + (token / TileLayout.Rows * _parts * TileLayout.Bytes(_x.Cols)) + (token % TileLayout.Rows * 64);
                if (_parts == 1) TileActivations.Place(values, _x.Cols, target);
                else TileActivations.PlaceParts(values, _x.Cols, target);
            }
        }
    }

    private readonly struct ByteJob(Tensor x, ByteActivations target) : ITeamJob
    {
        private readonly Tensor _x = x;
        private readonly ByteActivations _target = target;

        public void Run(int from, int to, int worker)
        {
            for (int token = from; token < to; token++) _target.Place(token < _x.Rows ? (float*)_x.Address + ((nint)token * _x.Stride) : null, token);
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
