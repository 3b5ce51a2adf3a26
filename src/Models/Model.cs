using Quern.Kernels.Cpu;

namespace Quern.Models;

/// <summary>What a model makes of a text.</summary>
public enum ModelTask
{
    /// <summary>It goes on from it: a token sees those before it.</summary>
    Decoder,

    /// <summary>It reads it as a whole, every token seeing all others, and makes vectors of it.</summary>
    Encoder,

    /// <summary>It reads it as a whole and writes another text about it.</summary>
    EncoderDecoder,
}

/// <summary>
/// A model whose weights are bound to a back end. It holds no state of a sequence, but buffers of the pass that runs: one pass at a time.
/// The file it was loaded from stays open as long as the model is used.
/// </summary>
public abstract class Model
{
    private protected Model(ModelConfig config, IReadOnlyList<KvLayer> kvLayers) => (Config, KvLayers) = (config, kvLayers);

    /// <summary>Sizes and constants.</summary>
    public ModelConfig Config { get; }

    /// <summary>What it makes of a text.</summary>
    public ModelTask Task { get; private protected init; }

    /// <summary>Numbers that <see cref="Rank"/> gives for a text; 0 where the model has no classifier.</summary>
    public virtual int LabelCount => 0;

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
    /// <exception cref="NotSupportedException">The model is an <see cref="ModelTask.Encoder"/>.</exception>
    public abstract void Forward(Batch batch, KvCache cache, Backend backend, Tensor logits);

    /// <summary>
    /// The same without logits: writes the vectors that the last layer gives, normed as the model norms them. Texts of a model that reads them as a whole begin at slot 0, and all of each is its
    /// <see cref="SequenceRun.Prefix"/>.
    /// </summary>
    /// <param name="batch">Tokens of one or more sequences.</param>
    /// <param name="cache">A cache of <see cref="KvLayers"/>, made by <paramref name="backend"/>.</param>
    /// <param name="backend">The back end that the model was loaded with.</param>
    /// <param name="y">[<see cref="Batch.OutputCount"/>, width], dense; ignored where no vectors are wanted.</param>
    /// <exception cref="ArgumentException">A token is not in the vocabulary, the vectors have another shape, or a text is not whole.</exception>
    public abstract void Embed(Batch batch, KvCache cache, Backend backend, Tensor y);

    /// <summary>The same, and what a classifier says about the vectors.</summary>
    /// <param name="batch">Tokens of one or more sequences, whole texts.</param>
    /// <param name="cache">A cache of <see cref="KvLayers"/>, made by <paramref name="backend"/>.</param>
    /// <param name="backend">The back end that the model was loaded with.</param>
    /// <param name="y">[<see cref="Batch.OutputCount"/>, <see cref="LabelCount"/>], dense.</param>
    /// <exception cref="ArgumentException">A token is not in the vocabulary, the numbers have another shape, or a text is not whole.</exception>
    /// <exception cref="NotSupportedException">The model has no classifier.</exception>
    public virtual void Rank(Batch batch, KvCache cache, Backend backend, Tensor y) => throw new NotSupportedException($"{Config.Architecture}: the file has no classifier");

    /// <summary>Reads whole texts, and stores what a decoder needs to write about them, in the slots of their tokens. The decoder's tokens come behind them, with the text as their <see cref="SequenceRun.Prefix"/>.</summary>
    /// <param name="batch">Whole texts of one or more sequences, each its own prefix.</param>
    /// <param name="cache">A cache of <see cref="KvLayers"/>, made by <paramref name="backend"/>.</param>
    /// <param name="backend">The back end that the model was loaded with.</param>
    /// <exception cref="ArgumentException">A token is not in the vocabulary, or a text is not whole.</exception>
    /// <exception cref="NotSupportedException">The model is not an <see cref="ModelTask.EncoderDecoder"/>.</exception>
    public virtual void Encode(Batch batch, KvCache cache, Backend backend) => throw new NotSupportedException($"{Config.Architecture} is no encoder–decoder");

    private protected void Check(Batch batch, Tensor outputs, int width)
    {
        CheckTokens(batch);
        if (batch.OutputCount != 0 && (outputs.Rows != batch.OutputCount || outputs.Cols != width))
            throw new ArgumentException($"outputs are [{outputs.Rows}, {outputs.Cols}]; expected [{batch.OutputCount}, {width}]", nameof(outputs));
    }

    private protected void CheckTokens(Batch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.TokenCount == 0) throw new ArgumentException("the batch has no tokens", nameof(batch));
        foreach (int token in batch.Tokens)
            if ((uint)token >= (uint)Config.VocabularySize)
                throw new ArgumentException($"token {token} is not in the vocabulary of {Config.VocabularySize}", nameof(batch));
        if (Task == ModelTask.Encoder) CheckWhole(batch);
        foreach (SequenceRun run in batch.Runs)
            if (Task == ModelTask.Decoder && run.Prefix != 0) throw new ArgumentException($"a sequence has a prefix of {run.Prefix}; expected none: the model reads a text from its beginning on", nameof(batch));
    }

    private protected static void CheckWhole(Batch batch)
    {
        foreach (SequenceRun run in batch.Runs)
            if (run.FirstSlot != 0 || run.Prefix != run.Count)
                throw new ArgumentException($"{run.Count} tokens from slot {run.FirstSlot} on are in the batch with a prefix of {run.Prefix}; expected a whole text, which is its own prefix", nameof(batch));
    }
}
