using Quern.Gguf;
using Quern.Kernels.Cpu;

namespace Quern.Models.Tests;

/// <summary>A model on a back end, with a cache whose pages are handed out from the last to the first, so that no sequence is contiguous.</summary>
public sealed class LoadedModel : IDisposable
{
    private const int PagesOfSequence = 17;
    private readonly GgufFile _file;

    public LoadedModel(GgufFile file, Backend backend, int contextLength, KvType kvType = KvType.F32, int sequences = 4)
    {
        (_file, Backend) = (file, backend);
        Model = ArchitectureTable.Load(file, backend, contextLength);
        Cache = backend.CreateKvCache(new KvLayout(Model.KvLayers, kvType, sequences * PagesOfSequence));
    }

    public Backend Backend { get; }

    public Model Model { get; }

    public KvCache Cache { get; }

    public int Vocabulary => Model.Config.VocabularySize;

    /// <summary>The pages of a sequence.</summary>
    public int[] Pages(int sequence) =>
        [.. Enumerable.Range(0, PagesOfSequence).Select(i => Cache.Layout.PageCount - 1 - (i * (Cache.Layout.PageCount / PagesOfSequence)) - sequence)];

    /// <summary>Runs a batch; the logits are [outputs, vocabulary].</summary>
    public float[] Forward(Batch batch)
    {
        using TensorBuffer logits = Backend.Allocate(Math.Max(1, batch.OutputCount), Vocabulary);
        Model.Forward(batch, Cache, Backend, logits.Tensor.FirstRows(batch.OutputCount));
        return logits.Read(0, batch.OutputCount).ToArray();
    }

    /// <summary>Runs a batch without logits; the vectors are [outputs, width].</summary>
    public float[] Embed(Batch batch)
    {
        using TensorBuffer vectors = Backend.Allocate(Math.Max(1, batch.OutputCount), Model.Config.Width);
        Model.Embed(batch, Cache, Backend, vectors.Tensor.FirstRows(batch.OutputCount));
        return vectors.Read(0, batch.OutputCount).ToArray();
    }

    /// <summary>The vectors of a whole text that a model reads at once: [tokens, width].</summary>
    public float[] EmbedWhole(ReadOnlySpan<int> tokens, int sequence = 0)
    {
        Batch batch = new(tokens.Length);
        batch.Add(tokens, 0, Pages(sequence), BatchOutputs.All, prefix: tokens.Length);
        return Embed(batch);
    }

    /// <summary>Reads a text of a model that writes about it.</summary>
    public void Read(ReadOnlySpan<int> text, int sequence = 0)
    {
        Batch batch = new(text.Length);
        batch.Add(text, 0, Pages(sequence), BatchOutputs.None, prefix: text.Length);
        Model.Encode(batch, Cache, Backend);
    }

    /// <summary>All logits of what is written about a text that was read, in chunks as for <see cref="Evaluate(ReadOnlySpan{int}, int, int, int)"/>.</summary>
    public float[] Write(int textLength, ReadOnlySpan<int> tokens, int first, int step, int sequence = 0)
    {
        List<float> logits = [];
        Batch batch = new(tokens.Length);
        int[] pages = Pages(sequence);
        for (int done = 0, count = first; done < tokens.Length; done += count, count = Math.Min(step, tokens.Length - done))
        {
            batch.Clear();
            batch.Add(tokens.Slice(done, count), textLength + done, pages, BatchOutputs.All, prefix: textLength);
            logits.AddRange(Forward(batch));
        }

        return [.. logits];
    }

    /// <summary>All logits of one sequence, its tokens given in chunks: <paramref name="first"/> tokens at once, then <paramref name="step"/> at a time.</summary>
    public float[] Evaluate(ReadOnlySpan<int> tokens, int first, int step, int sequence = 0)
    {
        List<float> logits = [];
        Batch batch = new(tokens.Length);
        int[] pages = Pages(sequence);
        for (int done = 0, count = first; done < tokens.Length; done += count, count = Math.Min(step, tokens.Length - done))
        {
            batch.Clear();
            batch.Add(tokens.Slice(done, count), done, pages, BatchOutputs.All);
            logits.AddRange(Forward(batch));
        }

        return [.. logits];
    }

    /// <summary>All logits of one sequence in one batch.</summary>
    public float[] Evaluate(ReadOnlySpan<int> tokens) => Evaluate(tokens, tokens.Length, 1);

    public void Dispose()
    {
        Cache.Dispose();
        Backend.Dispose();
        _file.Dispose();
    }
}
