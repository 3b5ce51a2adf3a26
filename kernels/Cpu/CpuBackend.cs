using Quern.Kernels.Cpu.Attention;
using Quern.Kernels.Cpu.Experts;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Memory;
using Quern.Kernels.Cpu.Ops;
using Quern.Kernels.Cpu.Recurrent;

namespace Quern.Kernels.Cpu;

/// <summary>The back end that computes on the processor, with the threads of a team and the vector width of <see cref="Isa"/>.</summary>
public sealed unsafe class CpuBackend : Backend
{
    private const int RowsPerChunk = 8;
    private readonly ThreadTeam _team;
    private readonly PassArena _arena = new();
    private readonly ScratchBlock _scratch = new();
    private readonly ScratchBlock _gathered = new();
    private readonly List<NativeBlock> _vectors = [];
    private readonly List<InterleavedWeights> _interleaved = [];
    private readonly bool _repack;
    private readonly MatMul.MatMul _matMul;

    /// <param name="team">Threads; shared, not owned.</param>
    /// <param name="mode">How products with weights are computed.</param>
    /// <param name="repack">
    /// Whether weights are copied into the order in which the fastest kernels read them, where this machine has such kernels and the mode is fast; otherwise they
    /// are read where they are.
    /// </param>
    /// <param name="bytePrompts">
    /// Whether products with 32 tokens and more are made of bytes on both sides, with a scale for 256 values, whatever the weights' format: faster and less exact (<see cref="PromptError"/>).
    /// </param>
    /// <exception cref="NotSupportedException">Prompts in bytes are asked for where this machine has no kernels for them, or with a mode or weights that they do not go with.</exception>
    public CpuBackend(ThreadTeam team, ComputeMode mode = ComputeMode.Fast, bool repack = true, bool bytePrompts = false)
    {
        ArgumentNullException.ThrowIfNull(team);
        if (bytePrompts && !Isa.HasAvx512Vnni)
            throw new NotSupportedException($"prompts in int8 need AVX-512 VNNI and memory for assembled code; this process runs on {Isa.Name}");
        if (bytePrompts && (mode != ComputeMode.Fast || !repack))
            throw new NotSupportedException($"prompts in int8 go with the fast mode and repacked weights, not with {(repack ? "exact products" : "weights that stay in the file")}");
        _team = team;
        Mode = mode;
        _repack = repack && mode == ComputeMode.Fast;
        _matMul = new MatMul.MatMul(team, mode, bytePrompts);
    }

    /// <inheritdoc/>
    public override string Description => $"CPU, {Isa.Name}, {_team.Threads} {(_team.Threads == 1 ? "thread" : "threads")}";

    /// <inheritdoc/>
    public override ComputeMode Mode { get; }

    /// <inheritdoc/>
    public override double? PromptError => _matMul.Error.Relative;

    /// <inheritdoc/>
    public override bool Copies(WeightFormat format, int cols, MatrixUse use) =>
        _repack && use != MatrixUse.Lookup && InterleavedLayout.HasKernels && format.Interleaved is { } layout && cols % layout.BlockColumns == 0;

    /// <inheritdoc/>
    public override WeightMatrix BindMatrix(string name, WeightFormat format, int count, int rows, int cols, nint address, MatrixUse use = MatrixUse.Product)
    {
        WeightMatrix matrix = new(name, format, count, rows, cols, address);
        if (!Copies(format, cols, use)) return matrix;
        InterleavedWeights interleaved = InterleavedWeights.Create(_team, format, count, rows, cols, address);
        _interleaved.Add(interleaved);
        return matrix with { Interleaved = interleaved };
    }

    /// <inheritdoc/>
    public override WeightVector BindVector(string name, WeightFormat format, int length, nint address)
    {
        NativeBlock block = new((long)length * sizeof(float));
        _vectors.Add(block);
        format.Decode((byte*)address, length / format.Info.BlockLength, (float*)block.Address);
        return new WeightVector(name, length, block.Address);
    }

    /// <inheritdoc/>
    public override KvCache CreateKvCache(KvLayout layout) => new PagedKv(layout);

    /// <inheritdoc/>
    public override TensorBuffer Allocate(int rows, int cols) => NativeTensor.Create(rows, cols);

    /// <inheritdoc/>
    public override void BeginPass() => _arena.Reset();

    /// <inheritdoc/>
    public override Tensor Take(int rows, int cols) => _arena.Take(rows, cols);

    /// <inheritdoc/>
    public override void Embed(WeightMatrix table, ReadOnlySpan<int> tokens, Tensor y) => RowCopy.FromMatrix(_team, table, tokens, y);

    /// <inheritdoc/>
    public override void MatMul(Tensor x, ReadOnlySpan<Product> products) => _matMul.Run(x, products);

    /// <inheritdoc/>
    public override void RmsNorm(Tensor x, WeightVector gain, float epsilon, Tensor y) =>
        _team.Run(new RmsNorm(x, (float*)gain.Address, gain.Length, epsilon, y), x.Rows, RowsPerChunk);

    /// <inheritdoc/>
    public override void LayerNorm(Tensor x, int length, WeightVector? gain, WeightVector? bias, float epsilon, Tensor y) =>
        _team.Run(new LayerNorm(x, length, gain, bias, epsilon, y), x.Rows, RowsPerChunk);

    /// <inheritdoc/>
    public override void RopeAngles(RopeTable table, ReadOnlySpan<int> positions, Tensor angles) => Ops.Rope.Angles(table, positions, angles);

    /// <inheritdoc/>
    public override void Rope(Tensor x, int headLength, Tensor angles, RopePairing pairing) =>
        _team.Run(new Rope(x, headLength, angles, pairing), x.Rows, RowsPerChunk);

    /// <inheritdoc/>
    public override void StoreKv(Tensor keys, Tensor values, Batch batch, int layer, KvCache cache)
    {
        fixed (SequenceRun* runs = batch.Runs)
        fixed (int* tables = batch.BlockTables)
            _team.Run(
                new StoreKv(keys, values, new BatchView(runs, batch.RunCount, tables, null), ((PagedKv)cache).Layer(layer)), keys.Rows, RowsPerChunk);
    }

    /// <inheritdoc/>
    public override void Attention(Tensor queries, Batch batch, int layer, KvCache cache, AttentionOptions options, Tensor y)
    {
        LayerPages pages = ((PagedKv)cache).Layer(layer);
        fixed (SequenceRun* runs = batch.Runs)
        fixed (int* tables = batch.BlockTables)
        fixed (ulong* seen = batch.Seen)
        {
            BatchView view = new(runs, batch.RunCount, tables, seen);
            if (Isa.HasAmx && Mode == ComputeMode.Fast && TileAttention.Serves(pages.Layer, options.Heads, batch.Runs[..batch.RunCount]))
            {
                TileAttention job = new(queries, view, pages, options, y);
                job.Scratch = (byte*)_scratch.Require(job.ScratchBytes * _team.Threads);
                _team.Run(job, job.Items, 1);
            }
            else
            {
                FlashAttention job = new(queries, view, pages, options, y);
                job.Scratch = (byte*)_scratch.Require(job.ScratchBytes * _team.Threads);
                _team.Run(job, job.Items, 1);
            }
        }
    }

    /// <inheritdoc/>
    public override void Gate(Tensor gate, Tensor up, Activation activation, Tensor y)
    {
        switch (activation)
        {
            case Activation.Silu:
                RowLoop<Gated<Silu>>.Run(_team, gate, up, y, default);
                break;
            case Activation.Gelu:
                RowLoop<Gated<Gelu>>.Run(_team, gate, up, y, default);
                break;
            case Activation.Relu:
                RowLoop<Gated<Relu>>.Run(_team, gate, up, y, default);
                break;
            case Activation.ReluSquared:
                RowLoop<Gated<ReluSquared>>.Run(_team, gate, up, y, default);
                break;
            case Activation.ClampedSwish:
                RowLoop<Gated<ClampedSwish>>.Run(_team, gate, up, y, default);
                break;
            case Activation.Sigmoid:
                RowLoop<Gated<Sigmoid>>.Run(_team, gate, up, y, default);
                break;
            case Activation.Tanh:
                RowLoop<Gated<Tanh>>.Run(_team, gate, up, y, default);
                break;
            case Activation.Softplus:
                RowLoop<Gated<Softplus>>.Run(_team, gate, up, y, default);
                break;
            case Activation.Decay:
                RowLoop<Gated<Decay>>.Run(_team, gate, up, y, default);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, null);
        }
    }

    /// <inheritdoc/>
    public override void Activate(Tensor x, Activation activation, Tensor y)
    {
        switch (activation)
        {
            case Activation.Silu:
                RowLoop<Plain<Silu>>.Run(_team, x, x, y, default);
                break;
            case Activation.Gelu:
                RowLoop<Plain<Gelu>>.Run(_team, x, x, y, default);
                break;
            case Activation.Relu:
                RowLoop<Plain<Relu>>.Run(_team, x, x, y, default);
                break;
            case Activation.ReluSquared:
                RowLoop<Plain<ReluSquared>>.Run(_team, x, x, y, default);
                break;
            case Activation.ClampedSwish:
                RowLoop<Plain<ClampedSwish>>.Run(_team, x, x, y, default);
                break;
            case Activation.Sigmoid:
                RowLoop<Plain<Sigmoid>>.Run(_team, x, x, y, default);
                break;
            case Activation.Tanh:
                RowLoop<Plain<Tanh>>.Run(_team, x, x, y, default);
                break;
            case Activation.Softplus:
                RowLoop<Plain<Softplus>>.Run(_team, x, x, y, default);
                break;
            case Activation.Decay:
                RowLoop<Plain<Decay>>.Run(_team, x, x, y, default);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, null);
        }
    }

    /// <inheritdoc/>
    public override void GateRows(Tensor x, Tensor gate, Tensor y) => _team.Run(new RowGate(x, gate, y), x.Rows, RowsPerChunk);

    /// <inheritdoc/>
    public override void Add(Tensor a, Tensor b, Tensor y) => RowLoop<Sum>.Run(_team, a, b, y, default);

    /// <inheritdoc/>
    public override void AddBias(Tensor x, WeightVector bias, Tensor y) => RowLoop<Sum>.Run(_team, x, Repeated(bias, 0, y), y, default);

    /// <inheritdoc/>
    public override void Scale(Tensor x, float factor) => RowLoop<Scaled>.Run(_team, x, x, x, new Scaled(factor));

    /// <inheritdoc/>
    public override void Clamp(Tensor x, float limit) => RowLoop<Clamped>.Run(_team, x, x, x, new Clamped(limit));

    /// <inheritdoc/>
    public override void SoftCap(Tensor x, float cap) => RowLoop<Capped>.Run(_team, x, x, x, new Capped(cap));

    /// <inheritdoc/>
    public override void Lerp(Tensor x, Tensor z, Tensor weights, Tensor y) => _team.Run(new Lerp(x, z, weights, y), y.Rows, RowsPerChunk);

    /// <inheritdoc/>
    public override void Lerp(Tensor x, Tensor z, WeightVector weights, Tensor y) => Lerp(x, z, Repeated(weights, 0, y), y);

    /// <inheritdoc/>
    public override void ShiftRows(Tensor x, Batch batch, LayerState state, KvCache cache, Tensor y) =>
        StateLoop<ShiftRows>.Run(_team, new ShiftRows(x, y), batch, state, cache);

    /// <inheritdoc/>
    public override void CausalConvolution(Tensor x, WeightVector weights, WeightVector bias, Batch batch, LayerState state, KvCache cache, Tensor y) =>
        StateLoop<CausalConvolution>.Run(_team, new CausalConvolution(x, weights, bias, y), batch, state, cache);

    /// <inheritdoc/>
    public override void SelectiveScan(Tensor x, Tensor delta, Tensor b, Tensor c, WeightVector a, WeightVector d, Batch batch, LayerState state, KvCache cache, Tensor y) =>
        StateLoop<SelectiveScan>.Run(_team, new SelectiveScan(x, delta, b, c, a, d, y), batch, state, cache);

    /// <inheritdoc/>
    public override void OuterProductScan(Tensor r, Tensor k, Tensor v, Tensor w, WeightVector u, int headLength, Batch batch, LayerState state, KvCache cache, Tensor y) =>
        StateLoop<OuterProductScan>.Run(_team, new OuterProductScan(r, k, v, w, u, headLength, y), batch, state, cache);

    /// <inheritdoc/>
    public override void GatherRows(Tensor x, ReadOnlySpan<int> rows, Tensor y) => RowCopy.FromTensor(_team, x, rows, y);

    /// <inheritdoc/>
    public override void CopyHeads(Tensor x, int apart, int heads, int length, Tensor y, int apartInY) =>
        _team.Run(new HeadCopy(x, apart, heads, length, y, apartInY), x.Rows, RowsPerChunk);

    /// <inheritdoc/>
    public override void MatMulHeads(Tensor x, int apart, WeightMatrix weights, Tensor y, int apartInY)
    {
        for (int head = 0; head < weights.Count; head++)
            _matMul.Run(x.Columns(head * apart, weights.Cols), weights, head, y.Columns(head * apartInY, weights.Rows));
    }

    /// <inheritdoc/>
    public override void Route(Tensor logits, RouteOptions options, ExpertRoutes routes) => Router.Route(logits, options, routes);

    /// <inheritdoc/>
    public override void MatMulExperts(Tensor x, bool byToken, WeightMatrix weights, WeightVector? bias, ExpertRoutes routes, Tensor y)
    {
        if (byToken)
        {
            Tensor gathered = new(_gathered.Require((long)routes.PairCount * x.Cols * sizeof(float)), routes.PairCount, x.Cols, x.Cols);
            GatherRows(x, routes.Tokens.AsSpan(0, routes.PairCount), gathered);
            x = gathered;
        }

        for (int expert = 0; expert < weights.Count; expert++)
        {
            int first = routes.Starts[expert], count = routes.Starts[expert + 1] - first;
            if (count == 0) continue;
            Tensor result = Slice(y, first, count);
            _matMul.Run(Slice(x, first, count), weights, expert, result);
            if (bias is not null) RowLoop<Sum>.Run(_team, result, Repeated(bias, expert, result), result, default);
        }
    }

    /// <inheritdoc/>
    public override void CombineExperts(Tensor x, ExpertRoutes routes, Tensor y) => Combine.Run(x, routes, y);

    /// <inheritdoc/>
    public override void Largest(Tensor x, int k, Tensor y)
    {
        for (int i = 0; i < x.Rows; i++) LargestValues.Scalar(x.Row(i), k, y.Row(i));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        _arena.Dispose();
        _scratch.Dispose();
        _matMul.Dispose();
        _gathered.Dispose();
        foreach (NativeBlock block in _vectors) block.Dispose();
        _vectors.Clear();
        foreach (InterleavedWeights weights in _interleaved) weights.Dispose();
        _interleaved.Clear();
    }

    /// <summary>One of a stack of biases as a tensor whose rows are all the same.</summary>
    private static Tensor Repeated(WeightVector bias, int index, Tensor shape) =>
        new(bias.Address + ((nint)index * shape.Cols * sizeof(float)), shape.Rows, shape.Cols, 0);

    private static Tensor Slice(Tensor x, int first, int count) =>
        new(x.Address + ((nint)first * x.Stride * sizeof(float)), count, x.Cols, x.Stride);
}
