using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Benchmarks.Gpu;

/// <summary>Sizes of a model of the Llama family.</summary>
internal sealed record LlamaShape(int Layers, int Width, int Heads, int KvHeads, int HeadLength, int FeedForward, int Vocabulary)
{
    /// <summary>Source: Grattafiori et al. 2024, arXiv 2407.21783, table 3, 8B.</summary>
    public static LlamaShape Llama3 { get; } = new(32, 4096, 32, 8, 128, 14336, 128256);

    public static LlamaShape Toy { get; } = new(2, 64, 2, 1, 32, 96, 96);
}

/// <summary>A forward pass of that shape with random weights, in the operations that models are written in.</summary>
internal sealed class LlamaStep : IDisposable
{
    private readonly Backend _backend;
    private readonly LlamaShape _shape;
    private readonly Layer[] _layers;
    private readonly WeightMatrix _table, _output;
    private readonly WeightVector _norm;
    private readonly KvCache _cache;
    private readonly RopeTable _rope;
    private readonly TensorBuffer _logits, _largest;
    private readonly int[] _pages;
    private readonly Batch _batch;

    /// <summary>Layers that have weights of their own; the others have those of an earlier one again. Far more bytes than a card's caches hold, and soon uploaded.</summary>
    public const int DistinctLayers = 4;

    public LlamaStep(GpuBench bench, LlamaShape shape, WeightFormat format, int mostTokens)
    {
        (_backend, _shape) = (bench.Backend, shape);
        _norm = bench.Ones(shape.Width);
        int qkv = (shape.Heads + (2 * shape.KvHeads)) * shape.HeadLength;
        Layer[] distinct = [.. Enumerable.Range(0, Math.Min(DistinctLayers, shape.Layers)).Select(i => new Layer(
            bench.Matrix("qkv", format, qkv, shape.Width), bench.Matrix("output", format, shape.Width, shape.Heads * shape.HeadLength),
            bench.Matrix("gate and up", format, 2 * shape.FeedForward, shape.Width), bench.Matrix("down", format, shape.Width, shape.FeedForward)))];
        _layers = [.. Enumerable.Range(0, shape.Layers).Select(i => distinct[i % distinct.Length])];
        _output = bench.Matrix("logits", format, shape.Vocabulary, shape.Width);
        _table = _output;
        KvLayer[] layers = [.. Enumerable.Repeat(new KvLayer(shape.KvHeads, shape.HeadLength, shape.HeadLength), shape.Layers)];
        _pages = [.. Enumerable.Range(0, KvLayout.PagesFor(mostTokens))];
        _cache = _backend.CreateKvCache(new KvLayout(layers, KvType.F16, _pages.Length));
        _rope = new RopeTable([.. Enumerable.Range(0, shape.HeadLength / 2).Select(i => (float)Math.Pow(500000, -2.0 * i / shape.HeadLength))], 1);
        _logits = _backend.Allocate(1, shape.Vocabulary);
        _largest = _backend.Allocate(1, 1 + (2 * Backend.MostLargest));
        _batch = new Batch(mostTokens);
        LayerWeights = _layers.Sum(layer => layer.All.Sum(matrix => (double)matrix.Rows * matrix.Cols));
        WeightBytes = _layers.Sum(layer => layer.All.Sum(matrix => Bytes(matrix, format))) + Bytes(_output, format);
    }

    /// <summary>Bytes of weights that a step of one token reads, but for the row of the table.</summary>
    public long WeightBytes { get; }

    /// <summary>Weights of the layers, each of which a token of a prompt multiplies.</summary>
    public double LayerWeights { get; }

    /// <summary>Computes tokens behind some that are in the cache, up to the logits of the last one, which are read.</summary>
    public void Run(ReadOnlySpan<int> tokens, int firstSlot)
    {
        _batch.Clear();
        _batch.Add(tokens, firstSlot, _pages);
        _backend.BeginPass(_batch);
        int n = tokens.Length, heads = _shape.Heads * _shape.HeadLength, kvHeads = _shape.KvHeads * _shape.HeadLength;
        Tensor x = _backend.Take(n, _shape.Width), normed = _backend.Take(n, _shape.Width), qkv = _backend.Take(n, heads + (2 * kvHeads)), attended = _backend.Take(n, heads);
        Tensor inner = _backend.Take(n, 2 * _shape.FeedForward), angles = _backend.Take(n, 2 * _rope.Pairs), last = _backend.Take(1, _shape.Width);
        Tensor queries = qkv.Columns(0, heads), keys = qkv.Columns(heads, kvHeads), values = qkv.Columns(heads + kvHeads, kvHeads);
        Tensor gate = inner.Columns(0, _shape.FeedForward), up = inner.Columns(_shape.FeedForward, _shape.FeedForward);
        AttentionOptions options = new(_shape.Heads, 1 / MathF.Sqrt(_shape.HeadLength));
        _backend.Embed(_table, _batch.Tokens, x);
        _backend.RopeAngles(_rope, _batch.Positions, angles);
        for (int i = 0; i < _layers.Length; i++)
        {
            _backend.RmsNorm(x, _norm, 1e-5f, normed);
            _backend.MatMul(normed, _layers[i].Qkv, null, qkv);
            _backend.Rope(queries, _shape.HeadLength, angles, RopePairing.Interleaved);
            _backend.Rope(keys, _shape.HeadLength, angles, RopePairing.Interleaved);
            _backend.StoreKv(keys, values, _batch, i, _cache);
            _backend.Attention(queries, _batch, i, _cache, options, attended);
            _backend.MatMul(attended, _layers[i].Output, null, normed);
            _backend.Add(x, normed, x);
            _backend.RmsNorm(x, _norm, 1e-5f, normed);
            _backend.MatMul(normed, _layers[i].GateUp, null, inner);
            _backend.Gate(gate, up, Activation.Silu, gate);
            _backend.MatMul(gate, _layers[i].Down, null, normed);
            _backend.Add(x, normed, x);
        }

        _backend.GatherRows(x, _batch.Outputs, last);
        _backend.RmsNorm(last, _norm, 1e-5f, last);
        _backend.MatMul(last, _output, null, _logits.Tensor);
    }

    /// <summary>Waits for the logits of the last run.</summary>
    public float Logit() => _logits.Read(0, 1)[0];

    /// <summary>Selects the largest logits of the last run and waits for them.</summary>
    public float Largest(int k)
    {
        _backend.Largest(_logits.Tensor, k, _largest.Tensor);
        return _largest.Read(0, 1)[1];
    }

    public void Dispose()
    {
        _logits.Dispose();
        _largest.Dispose();
        _cache.Dispose();
    }

    private static long Bytes(WeightMatrix matrix, WeightFormat format) => Quern.Kernels.Gpu.GpuBackend.BytesOf(format, matrix.Rows, matrix.Cols, ComputeMode.Fast);

    private sealed record Layer(WeightMatrix Qkv, WeightMatrix Output, WeightMatrix GateUp, WeightMatrix Down)
    {
        public IEnumerable<WeightMatrix> All => [Qkv, Output, GateUp, Down];
    }
}
