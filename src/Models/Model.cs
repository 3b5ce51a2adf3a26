using Quern.Kernels.Cpu;

namespace Quern.Models;

/// <summary>
/// A model whose weights are bound to a back end. It holds no state of a sequence, but buffers of the pass that runs: one pass at a time.
/// The file it was loaded from stays open as long as the model is used.
/// </summary>
public abstract class Model
{
    private protected Model(ModelConfig config, IReadOnlyList<KvLayer> kvLayers) => (Config, KvLayers) = (config, kvLayers);

    /// <summary>Sizes and constants.</summary>
    public ModelConfig Config { get; }

    /// <summary>What each layer stores in the cache for a token.</summary>
    public IReadOnlyList<KvLayer> KvLayers { get; }

    /// <summary>Slots that a query sees at most in layers with a window, its own included; 0 where no layer has one. What such layers stored further back need not be kept.</summary>
    public int Window { get; private protected init; }

    /// <summary>Whether a layer has a window; null where none has.</summary>
    public IReadOnlyList<bool>? WindowedLayers { get; private protected init; }

    /// <summary>Bytes of the weights in the file.</summary>
    public long WeightBytes { get; internal set; }

    /// <summary>
    /// Computes the tokens of a batch, stores their keys and values, and writes the logits that the batch asks for. Tensors that the back end gave
    /// out by <see cref="Backend.Take"/> before are invalid from here.
    /// </summary>
    /// <param name="batch">Tokens of one or more sequences.</param>
    /// <param name="cache">A cache of <see cref="KvLayers"/>, made by <paramref name="backend"/>.</param>
    /// <param name="backend">The back end that the model was loaded with.</param>
    /// <param name="logits">[<see cref="Batch.OutputCount"/>, vocabulary], dense; ignored where no logits are wanted.</param>
    /// <exception cref="ArgumentException">A token is not in the vocabulary, or the logits have another shape.</exception>
    public abstract void Forward(Batch batch, KvCache cache, Backend backend, Tensor logits);
}
