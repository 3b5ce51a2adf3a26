using System.Numerics;
using Quern.Trainer.Products;

namespace Quern.Trainer.Model;

/// <summary>What a forward pass leaves for the backward pass, for so many tokens; without gradients all layers share one set.</summary>
internal sealed class Activations<T> : IDisposable
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly List<Values<T>> _owned = [];
    private readonly LayerActivations<T>[] _layers;

    /// <param name="shape">The model.</param>
    /// <param name="tokens">Tokens of a batch at most.</param>
    /// <param name="forBackward">Whether a backward pass will follow.</param>
    public Activations(LlamaShape shape, int tokens, bool forBackward)
    {
        Tokens = tokens;
        int heads = shape.Heads * shape.HeadLength, qkv = heads + (2 * shape.KvHeads * shape.HeadLength);
        Values<T> Take(int width)
        {
            Values<T> values = new((long)tokens * width);
            _owned.Add(values);
            return values;
        }

        _layers = new LayerActivations<T>[forBackward ? shape.Layers : 1];
        for (int i = 0; i < _layers.Length; i++)
            _layers[i] = new LayerActivations<T>(
                Take(shape.Width), Take(1), Take(shape.Width), Take(qkv), Take(shape.Heads), Take(heads), Take(shape.Width), Take(1), Take(shape.Width),
                Take(2 * shape.Hidden), Take(shape.Hidden));
        Final = Take(shape.Width);
        FinalScale = Take(1);
        FinalNormed = Take(shape.Width);
        Logits = Take(shape.Vocabulary);
        if (!forBackward) return;
        Stream = Take(shape.Width);
        Branch = Take(shape.Width);
        Wide = Take(Math.Max(qkv, 2 * shape.Hidden));
        Inner = Take(Math.Max(heads, shape.Hidden));
    }

    /// <summary>Tokens that fit.</summary>
    public int Tokens { get; }

    /// <summary>[tokens, width], the stream behind the last layer.</summary>
    public Values<T> Final { get; }

    /// <summary>[tokens], the last norm's r.</summary>
    public Values<T> FinalScale { get; }

    /// <summary>[tokens, width].</summary>
    public Values<T> FinalNormed { get; }

    /// <summary>[tokens, vocabulary]; the loss writes its gradient here.</summary>
    public Values<T> Logits { get; }

    /// <summary>[tokens, width], gradient of the stream.</summary>
    public Values<T>? Stream { get; }

    /// <summary>[tokens, width], gradient of what a norm gave.</summary>
    public Values<T>? Branch { get; }

    /// <summary>[tokens, …], gradient of Q, K and V, or of gate and up.</summary>
    public Values<T>? Wide { get; }

    /// <summary>[tokens, …], gradient of the attention's result, or of the gated product.</summary>
    public Values<T>? Inner { get; }

    public LayerActivations<T> Layer(int layer) => _layers[_layers.Length == 1 ? 0 : layer];

    public void Dispose()
    {
        foreach (Values<T> values in _owned) values.Dispose();
    }
}

/// <summary>The activations of one layer.</summary>
/// <param name="X">[tokens, width], the stream that comes in.</param>
/// <param name="Scale">[tokens], the first norm's r.</param>
/// <param name="Normed">[tokens, width].</param>
/// <param name="Qkv">[tokens, queries, keys and values], turned.</param>
/// <param name="LogSums">[tokens, heads].</param>
/// <param name="Attended">[tokens, heads × head length].</param>
/// <param name="Middle">[tokens, width], the stream between attention and feed-forward.</param>
/// <param name="MiddleScale">[tokens], the second norm's r.</param>
/// <param name="MiddleNormed">[tokens, width].</param>
/// <param name="GateUp">[tokens, gate and up].</param>
/// <param name="Gated">[tokens, hidden].</param>
internal sealed record LayerActivations<T>(
    Values<T> X, Values<T> Scale, Values<T> Normed, Values<T> Qkv, Values<T> LogSums, Values<T> Attended, Values<T> Middle, Values<T> MiddleScale,
    Values<T> MiddleNormed, Values<T> GateUp, Values<T> Gated)
    where T : unmanaged;
