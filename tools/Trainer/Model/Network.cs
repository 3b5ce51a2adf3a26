using System.Numerics;
using Quern.Trainer.Data;
using Quern.Trainer.Operations;
using Quern.Trainer.Products;

namespace Quern.Trainer.Model;

/// <summary>
/// A Llama that can be trained, in binary32 or, for checks, binary64:
/// <code>
/// x = E[token]
/// x = x + attention(norm(x)) Woᵀ          in every layer
/// x = x + swiglu(norm(x) Wgᵀ, norm(x) Wuᵀ) Wdᵀ
/// logits = norm(x) Woutᵀ
/// </code>
/// Source: Touvron et al. 2023, arXiv 2302.13971. Every result is the same for any number of threads.
/// </summary>
internal sealed unsafe partial class Network<T> : IDisposable
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int TokensPerRange = 32;
    private const int ColumnsPerRange = 64;
    private readonly Crew _crew;
    private readonly MatrixProduct<T> _products;
    private readonly Rope<T> _rope;
    private readonly Attention<T>?[] _attentions;
    private AttentionShape _attentionShape;
    private Values<T>? _gradients;

    public Network(LlamaShape shape, Crew crew)
    {
        shape.Validate();
        (Shape, _crew) = (shape, crew);
        Layout = new ParameterLayout(shape);
        Parameters = new Values<T>(Layout.Count);
        _products = new MatrixProduct<T>(crew);
        _rope = new Rope<T>(shape.HeadLength, shape.RopeBase, shape.Context);
        _attentions = new Attention<T>?[crew.Threads];
    }

    public LlamaShape Shape { get; }

    public ParameterLayout Layout { get; }

    /// <summary>All weights, placed by <see cref="Layout"/>.</summary>
    public Values<T> Parameters { get; }

    /// <summary>The gradient of every parameter, taken when first asked for.</summary>
    public Values<T> Gradients => _gradients ??= new Values<T>(Layout.Count);

    /// <summary>Random weights, the same for a seed everywhere; gains are 1.</summary>
    public void Initialise(ulong seed)
    {
        CountedRandom random = new(seed, stream: CountedRandom.Weights);
        foreach (ParameterTensor tensor in Layout.Tensors)
        {
            T* values = Weights(tensor);
            for (int i = 0; i < tensor.Count; i++) values[i] = T.CreateChecked(tensor.IsMatrix ? tensor.Deviation * random.NextNormal() : 1.0);
        }
    }

    /// <summary>Computes the logits of a batch.</summary>
    public void Forward(TokenBatch batch, Activations<T> a)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(batch.Tokens, a.Tokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(batch.Length, Shape.Context);
        Prepare(batch.Length);
        int tokens = batch.Tokens, width = Shape.Width, heads = _attentionShape.Width;
        T* embedding = Weights(Layout.Embedding), x = a.Layer(0).X.First;
        _crew.ForRanges(tokens, TokensPerRange, (from, to) =>
        {
            for (int t = from; t < to; t++) Copy(embedding + ((nint)batch.Inputs[t] * width), width, x + ((nint)t * width));
        });
        for (int i = 0; i < Shape.Layers; i++)
        {
            LayerActivations<T> l = a.Layer(i);
            LayerParameters p = Layout.Layers[i];
            T* next = i + 1 < Shape.Layers ? a.Layer(i + 1).X.First : a.Final.First;
            Norm(l.X.First, p.AttentionNorm, tokens, l.Normed.First, l.Scale.First);
            _products.Forward(l.Normed.First, Weights(p.Query), tokens, _attentionShape.QkvWidth, width, l.Qkv.First);
            Turn(l.Qkv.First, batch, back: false);
            Attend(l, batch);
            Copy(l.X.First, tokens, width, l.Middle.First);
            _products.Forward(l.Attended.First, Weights(p.AttentionOutput), tokens, width, heads, l.Middle.First, add: true);
            Norm(l.Middle.First, p.FeedForwardNorm, tokens, l.MiddleNormed.First, l.MiddleScale.First);
            _products.Forward(l.MiddleNormed.First, Weights(p.Gate), tokens, 2 * Shape.Hidden, width, l.GateUp.First);
            Gate(l, tokens);
            Copy(l.Middle.First, tokens, width, next);
            _products.Forward(l.Gated.First, Weights(p.Down), tokens, width, Shape.Hidden, next, add: true);
        }

        Norm(a.Final.First, Layout.OutputNorm, tokens, a.FinalNormed.First, a.FinalScale.First);
        _products.Forward(a.FinalNormed.First, Weights(Layout.Output), tokens, Shape.Vocabulary, width, a.Logits.First);
    }

    public void Dispose()
    {
        Parameters.Dispose();
        _gradients?.Dispose();
        _products.Dispose();
        _rope.Dispose();
        foreach (Attention<T>? attention in _attentions) attention?.Dispose();
    }

    private T* Weights(ParameterTensor tensor) => Parameters.First + tensor.Offset;

    private void Prepare(int length)
    {
        AttentionShape shape = new(Shape.Heads, Shape.KvHeads, Shape.HeadLength, length);
        if (shape == _attentionShape) return;
        _attentionShape = shape;
        for (int i = 0; i < _attentions.Length; i++)
        {
            _attentions[i]?.Dispose();
            _attentions[i] = new Attention<T>(shape);
        }
    }

    private void Norm(T* x, ParameterTensor gain, int tokens, T* y, T* scales)
    {
        T* gains = Weights(gain);
        T epsilon = T.CreateChecked(Shape.NormEpsilon);
        int width = Shape.Width;
        _crew.ForRanges(tokens, TokensPerRange, (from, to) =>
        {
            for (int t = from; t < to; t++) scales[t] = RmsNorm.Forward(x + ((nint)t * width), gains, epsilon, width, y + ((nint)t * width));
        });
    }

    private void Turn(T* qkv, TokenBatch batch, bool back)
    {
        int stride = _attentionShape.QkvWidth, heads = Shape.Heads + Shape.KvHeads, length = batch.Length;
        _crew.ForRanges(batch.Tokens, TokensPerRange, (from, to) =>
        {
            for (int t = from; t < to; t++) _rope.Turn(qkv + ((nint)t * stride), heads, t % length, back);
        });
    }

    private void Attend(LayerActivations<T> l, TokenBatch batch)
    {
        T* qkv = l.Qkv.First, y = l.Attended.First, sums = l.LogSums.First;
        AttentionShape shape = _attentionShape;
        _crew.For(batch.Sequences * shape.KvHeads, (item, worker) =>
        {
            int first = item / shape.KvHeads * shape.Length;
            _attentions[worker]!.Forward(
                qkv + ((nint)first * shape.QkvWidth), batch.FirstKeys.AsSpan(first, shape.Length), item % shape.KvHeads,
                y + ((nint)first * shape.Width), sums + ((nint)first * shape.Heads));
        });
    }

    private void Gate(LayerActivations<T> l, int tokens)
    {
        T* both = l.GateUp.First, y = l.Gated.First;
        int hidden = Shape.Hidden;
        _crew.ForRanges(tokens, TokensPerRange, (from, to) =>
        {
            for (int t = from; t < to; t++)
            {
                T* gate = both + ((nint)t * 2 * hidden);
                SwiGlu.Forward(gate, gate + hidden, hidden, y + ((nint)t * hidden));
            }
        });
    }

    private void Copy(T* from, int tokens, int width, T* to) =>
        _crew.ForRanges(tokens, TokensPerRange, (first, end) => Copy(from + ((nint)first * width), (end - first) * width, to + ((nint)first * width)));

    private static void Copy(T* from, int count, T* to) => new ReadOnlySpan<T>(from, count).CopyTo(new Span<T>(to, count));
}
