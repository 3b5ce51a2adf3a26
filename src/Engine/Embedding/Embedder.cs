using Quern.Kernels.Cpu;
using Quern.Models;
using Quern.Models.Parts;

namespace Quern.Engine;

/// <summary>
/// Makes vectors of texts, so that texts which mean the same have vectors of about the same direction. Short texts share a pass. Embedders of a model may be used from different threads, one
/// embedder by one thread at a time.
/// </summary>
/// <example>
/// <code>
/// using QuernModel model = QuernModel.Load("bge-small-en.gguf");
/// using Embedder embedder = model.CreateEmbedder();
/// float[][] vectors = embedder.Embed(["A fox sleeps.", "The fox is asleep."]);
/// Console.WriteLine(Embedder.Cosine(vectors[0], vectors[1]));
/// </code>
/// </example>
public sealed class Embedder : IDisposable
{
    // Texts that share a pass.
    private const int MostTexts = 32;

    private readonly QuernModel _model;
    private readonly EmbeddingOptions _options;
    private readonly bool _readsWhole;
    private readonly List<SequencePages> _pages = [];
    private readonly PooledVector _pooled;
    private Batch _batch;
    private TensorBuffer? _vectors;
    private bool _disposed;

    internal Embedder(QuernModel model, EmbeddingOptions options)
    {
        string architecture = model.Config.Architecture;
        Pooling = options.Pooling ?? model.Config.Pooling ?? throw new InvalidOperationException(
            $"'{model.File.Path}' does not say how its vectors are pooled ({architecture}.pooling_type): it was not made for embeddings; say how with EmbeddingOptions.Pooling (quern embed: --pooling mean, or last)");
        if (Pooling == Pooling.Rank && model.LabelCount == 0)
            throw new InvalidOperationException($"'{model.File.Path}' has no classifier (cls.output.weight), which ranking needs; expected another pooling than rank");
        (_model, _options) = (model, options);
        _readsWhole = model.Task != ModelTask.Decoder;
        Length = Pooling == Pooling.Rank ? model.LabelCount : model.Config.Width;
        _pooled = new PooledVector(Pooling, Length);
        _batch = new Batch(Math.Min(model.Options.BatchTokens, model.ContextLength), MostTexts);
    }

    /// <summary>The model.</summary>
    public QuernModel Model => _model;

    /// <summary>How the vectors of a text's tokens become one.</summary>
    public Pooling Pooling { get; }

    /// <summary>Numbers of a vector.</summary>
    public int Length { get; }

    /// <summary>The tokens of a text, with those that the model wants at its beginning and end.</summary>
    public int[] Tokenize(string text) => _model.Tokenizer.Encode(text, addSpecial: true, parseSpecial: _options.ParseSpecial);

    /// <summary>The tokens of two texts in one, the second as an answer to the first: what <see cref="Pooling.Rank"/> takes.</summary>
    public int[] Tokenize(string query, string text) => _model.Tokenizer.EncodePair(query, text, parseSpecial: _options.ParseSpecial);

    /// <summary>The vector of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="cancellation">Looked at between passes.</param>
    /// <returns>[<see cref="Length"/>]; with <see cref="Pooling.None"/> [tokens, <see cref="Length"/>], row after row; with <see cref="Pooling.Rank"/> the classifier's scores.</returns>
    /// <exception cref="ContextFullException">The text is longer than the context.</exception>
    /// <exception cref="ArgumentException">The text has no tokens.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public float[] Embed(string text, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Embed([Tokenize(text)], cancellation)[0];
    }

    /// <summary>The vectors of several texts.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="cancellation">Looked at between passes.</param>
    /// <returns>One for each text, as <see cref="Embed(string, CancellationToken)"/> gives it.</returns>
    /// <exception cref="ContextFullException">A text is longer than the context.</exception>
    /// <exception cref="ArgumentException">A text has no tokens.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public float[][] Embed(IEnumerable<string> texts, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return Embed([.. texts.Select(Tokenize)], cancellation);
    }

    /// <summary>The vectors of several texts, given by their tokens.</summary>
    /// <param name="texts">[texts][tokens] Ids, with those that the model wants at beginning and end.</param>
    /// <param name="cancellation">Looked at between passes.</param>
    /// <returns>One for each text, as <see cref="Embed(string, CancellationToken)"/> gives it.</returns>
    /// <exception cref="ContextFullException">A text is longer than the context, or sessions hold the rest of the cache.</exception>
    /// <exception cref="ArgumentException">A text has no tokens, or an id is not in the vocabulary.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public float[][] Embed(IReadOnlyList<int[]> texts, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Check(texts);
        float[][] vectors = new float[texts.Count][];
        for (int done = 0; done < texts.Count;)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                int count = AddWhole(texts, done);
                if (count > 0) RunWhole(vectors.AsSpan(done, count));
                else vectors[done] = RunInChunks(texts[done], cancellation);
                done += Math.Max(1, count);
            }
            finally
            {
                foreach (SequencePages pages in _pages) pages.TryResize(0);
            }
        }

        return vectors;
    }

    /// <summary>Looks for texts that cannot be embedded, without computing anything.</summary>
    /// <param name="texts">[texts][tokens] Ids.</param>
    /// <exception cref="ContextFullException">A text is longer than the context.</exception>
    /// <exception cref="ArgumentException">A text has no tokens, or an id is not in the vocabulary.</exception>
    public void Check(IReadOnlyList<int[]> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        for (int i = 0; i < texts.Count; i++)
        {
            if (texts[i].Length == 0) throw new ArgumentException($"text {i + 1} of {texts.Count} has no tokens; expected at least one", nameof(texts));
            _model.CheckTokens(texts[i]);
            if (texts[i].Length > _model.ContextLength) throw ContextFullException.OfText(_model.ContextLength, _model.Config.ContextLength, i + 1, texts.Count, texts[i].Length);
        }
    }

    /// <summary>The cosine of the angle between two vectors; 0 where one of them is zero.</summary>
    /// <param name="a">[n].</param>
    /// <param name="b">[n].</param>
    /// <exception cref="ArgumentException">Their lengths differ.</exception>
    public static double Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        if (a.Length != b.Length) throw new ArgumentException($"vectors of {a.Length} and {b.Length} numbers are compared; expected the same length", nameof(b));
        double product = 0, squaresOfA = 0, squaresOfB = 0;
        for (int i = 0; i < a.Length; i++) (product, squaresOfA, squaresOfB) = (product + ((double)a[i] * b[i]), squaresOfA + ((double)a[i] * a[i]), squaresOfB + ((double)b[i] * b[i]));
        return squaresOfA == 0 || squaresOfB == 0 ? 0 : product / Math.Sqrt(squaresOfA * squaresOfB);
    }

    /// <summary>Gives the embedder's memory back.</summary>
    public void Dispose()
    {
        _disposed = true;
        _vectors?.Dispose();
    }

    // Fills the batch with as many texts as it takes; a longer one that has to be read at once gets a larger batch.
    private int AddWhole(IReadOnlyList<int[]> texts, int first)
    {
        if (_readsWhole && texts[first].Length > _batch.Capacity) _batch = new Batch(texts[first].Length, MostTexts);
        _batch.Clear();
        int count = 0;
        for (; first + count < texts.Count && count < MostTexts; count++)
        {
            int[] text = texts[first + count];
            if (_batch.TokenCount + text.Length > _batch.Capacity) break;
            SequencePages pages = Pages(count);
            if (!_model.TryPrepare(pages, 0, text.Length))
            {
                if (count == 0) throw _model.CacheFull(text.Length);
                break;
            }

            _batch.Add(text, 0, pages.Table, PooledVector.Outputs(Pooling, isFirst: true, isLast: true), _readsWhole ? text.Length : 0);
        }

        return count;
    }

    private void RunWhole(Span<float[]> vectors)
    {
        ReadOnlySpan<float> rows = Run();
        for (int i = 0; i < vectors.Length; i++)
        {
            int count = Pooling is Pooling.None or Pooling.Mean ? _batch.Runs[i].Count : 1;
            vectors[i] = Pooling == Pooling.None ? Rows(rows[..(count * Length)]) : Pool(rows[..(count * Length)]);
            rows = rows[(count * Length)..];
        }
    }

    // A text that is longer than a pass, of a model whose tokens see only those before them.
    private float[] RunInChunks(int[] text, CancellationToken cancellation)
    {
        List<float> all = [];
        SequencePages pages = Pages(0);
        if (!_model.TryPrepare(pages, 0, text.Length)) throw _model.CacheFull(text.Length);
        for (int done = 0; done < text.Length;)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(text.Length - done, _batch.Capacity);
            _batch.Clear();
            _batch.Add(text.AsSpan(done, count), done, pages.Table, PooledVector.Outputs(Pooling, done == 0, done + count == text.Length));
            ReadOnlySpan<float> rows = Run();
            if (Pooling == Pooling.None) all.AddRange(Rows(rows));
            else _pooled.Add(rows);
            done += count;
        }

        return Pooling == Pooling.None ? [.. all] : Pool([]);
    }

    private float[] Rows(ReadOnlySpan<float> rows)
    {
        float[] copy = rows.ToArray();
        if (_options.Normalize)
            for (int first = 0; first < copy.Length; first += Length) PooledVector.Normalize(copy.AsSpan(first, Length));
        return copy;
    }

    private float[] Pool(ReadOnlySpan<float> rows)
    {
        float[] vector = new float[Length];
        _pooled.Add(rows);
        _pooled.Finish(_options.Normalize && Pooling != Pooling.Rank, vector);
        return vector;
    }

    private ReadOnlySpan<float> Run()
    {
        if (_vectors is null || _vectors.Tensor.Rows < _batch.OutputCount)
        {
            _vectors?.Dispose();
            _vectors = _model.AllocateVectors(_batch.OutputCount, Length);
        }

        Tensor y = _vectors.Tensor.FirstRows(_batch.OutputCount);
        _model.Embed(_batch, Pooling == Pooling.Rank, y);
        return _model.Read(_vectors, 0, _batch.OutputCount);
    }

    private SequencePages Pages(int index)
    {
        while (_pages.Count <= index) _pages.Add(new SequencePages(_model.Pages, _model.ContextLength));
        return _pages[index];
    }
}
