using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>What uses the model's weights and its cache's memory: one at a time, so that sessions and engines take turns.</summary>
public sealed partial class QuernModel
{
    internal TensorBuffer AllocateLogits(int rows) => _backend.Allocate(rows, VocabularySize);

    /// <summary>Whether the largest logits come sooner than all of them: see <see cref="Backend.Largest"/>.</summary>
    internal bool SelectsLargest => _backend.SelectsLargest;

    /// <param name="batch">Tokens.</param>
    /// <param name="logits">[outputs, vocabulary].</param>
    /// <param name="depth">How many of the largest logits are wanted of every row, those behind the last token left out; 0 for none.</param>
    /// <param name="largest">[outputs, at least 1 + 2 depth].</param>
    internal void Forward(Batch batch, Tensor logits, int depth = 0, Tensor largest = default)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _model.Forward(batch, _cache, _backend, logits);
            if (depth > 0 && batch.OutputCount > 0) _backend.Largest(logits.Columns(0, Math.Min(Vocabulary.Count, VocabularySize)), depth, largest);
        }
    }

    /// <summary>See <see cref="TensorBuffer.Read"/>. Where results lie elsewhere, waits for the pass that runs: both use the way there.</summary>
    internal Span<float> Read(TensorBuffer buffer, int first, int count)
    {
        if (!_backend.SelectsLargest) return buffer.Read(first, count);
        lock (_turn) return buffer.Read(first, count);
    }

    internal TensorBuffer AllocateVectors(int rows, int cols) => _backend.Allocate(rows, cols);

    /// <summary>Vectors of whole texts or chunks of them, or what a classifier says about them: [outputs, width or labels].</summary>
    internal void Embed(Batch batch, bool rank, Tensor y)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (rank) _model.Rank(batch, _cache, _backend, y);
            else _model.Embed(batch, _cache, _backend, y);
        }
    }

    /// <summary>Reads a text that an answer is written about.</summary>
    internal void Read(Batch batch)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _model.Encode(batch, _cache, _backend);
        }
    }

    internal void WriteSession(string path, ReadOnlySpan<int> tokens, int pending, ReadOnlySpan<int> pages)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            SessionFile.Write(path, SessionFile.Fingerprint(_file, _cache), tokens, pending, pages, _cache);
        }
    }

    internal int ReadSession(string path, Func<int[], int[]> begin) =>
        SessionFile.Read(path, SessionFile.Fingerprint(_file, _cache), ContextLength, VocabularySize, _cache, begin);

    /// <summary>See <see cref="SequencePages.TryPrepare"/>. Copying a page waits for the pass that runs.</summary>
    internal bool TryPrepare(SequencePages pages, int firstSlot, int count)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return pages.TryPrepare(firstSlot, count, _cache);
        }
    }

    /// <summary>See <see cref="KvCache.Move"/>. Waits for the pass that runs.</summary>
    internal void Move(SequencePages pages, ReadOnlySpan<int> sources, int firstSlot)
    {
        lock (_turn) _cache.Move(pages.Table, sources, firstSlot);
    }

    private sealed class CacheMemory(QuernModel model) : IPageMemory
    {
        public void Free(int page, bool windowedOnly) => model._cache.Free(page, windowedOnly);
    }
}
