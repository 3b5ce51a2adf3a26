using Quern.Kernels.Cpu;
using Quern.Models;

namespace Quern.Engine;

/// <summary>The logits of consecutive tokens.</summary>
/// <param name="first">Index of the first token among those given.</param>
/// <param name="count">Number of tokens.</param>
/// <param name="logits">[count, vocabulary], row-major; valid during the call.</param>
public delegate void LogitsReader(int first, int count, ReadOnlySpan<float> logits);

/// <summary>
/// One sequence of tokens with its keys and values. Sessions of a model may be used from different threads, one session by one thread at a time; their
/// passes take turns.
/// </summary>
public sealed partial class Session : IDisposable
{
    // Logits of all positions are computed in chunks of at most this size.
    private const long MostLogitsBytes = 64 << 20;

    private readonly QuernModel _model;
    private readonly SequencePages _pages;
    private readonly Batch _batch;
    private readonly OutputLogits _logits;
    private readonly int[] _tokens;
    private TensorBuffer? _allLogits;
    private bool _disposed;

    internal Session(QuernModel model)
    {
        _model = model;
        _pages = new SequencePages(model.Pages, model.ContextLength);
        _batch = new Batch(Math.Min(model.Options.BatchTokens, model.ContextLength));
        _logits = new OutputLogits(model, 1);
        _tokens = new int[model.ContextLength];
    }

    internal Session(QuernModel model, string path)
        : this(model)
    {
        try
        {
            Pending = model.ReadSession(path, tokens =>
            {
                if (tokens.Length > 0 && !model.TryPrepare(_pages, 0, tokens.Length)) throw model.CacheFull(tokens.Length);
                tokens.CopyTo(_tokens.AsSpan());
                Length = tokens.Length;
                return _pages.Table.ToArray();
            });
        }
        catch
        {
            _pages.TryResize(0);
            _logits.Dispose();
            throw;
        }
    }

    /// <summary>The model.</summary>
    public QuernModel Model => _model;

    /// <summary>Tokens evaluated.</summary>
    public int Length { get; private set; }

    /// <summary>The tokens, valid until the session is used again.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Length);

    /// <summary>Tokens for which there is still room.</summary>
    public int Remaining => _model.ContextLength - Length;

    /// <summary>The token that a generation chose last, or −1. It is evaluated with whatever the next generation begins with.</summary>
    internal int Pending { get; set; } = -1;

    /// <summary>Tokens at the beginning that are the text which an encoder–decoder writes about; 0 before it was read, and in other models.</summary>
    public int PrefixLength { get; private set; }

    /// <summary>Gives an encoder–decoder the text that it writes about. What is evaluated after it is what was written, and begins with <see cref="ModelConfig.DecoderStart"/>.</summary>
    /// <param name="tokens">At least one id; all of them are read at once.</param>
    /// <exception cref="ContextFullException">There is no room for so many tokens and one more.</exception>
    /// <exception cref="ArgumentException">An id is not in the vocabulary, or there is none.</exception>
    /// <exception cref="InvalidOperationException">The session has tokens already, or the model is no encoder–decoder.</exception>
    public void Read(scoped ReadOnlySpan<int> tokens)
    {
        if (_model.Task != ModelTask.EncoderDecoder) throw new InvalidOperationException($"'{_model.File.Path}' ({_model.Config.Architecture}) has no encoder that reads a text; expected Evaluate");
        if (Length > 0) throw new InvalidOperationException($"the session has {Length} tokens; expected none before a text is read (Truncate(0) forgets them)");
        Reserve(tokens);
        Batch batch = new(tokens.Length);
        batch.Add(tokens, 0, _pages.Table, BatchOutputs.None, prefix: tokens.Length);
        _model.Read(batch);
        tokens.CopyTo(_tokens);
        Length = PrefixLength = tokens.Length;
    }

    /// <summary>Appends tokens.</summary>
    /// <param name="tokens">At least one id.</param>
    /// <param name="cancellation">Looked at between passes; tokens of passes that were finished stay.</param>
    /// <returns>[vocabulary] The logits after the last token, valid until the session is used again.</returns>
    /// <exception cref="ContextFullException">There is no room for so many tokens; none were added.</exception>
    /// <exception cref="ArgumentException">An id is not in the vocabulary, or there is none.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public ReadOnlySpan<float> Evaluate(scoped ReadOnlySpan<int> tokens, CancellationToken cancellation = default)
    {
        Append(tokens, depth: 0, cancellation);
        return LastLogits.All(0);
    }

    /// <summary>The same, for a caller that takes <see cref="LastLogits"/> when it needs them: they may have to come from elsewhere.</summary>
    /// <param name="tokens">At least one id.</param>
    /// <param name="depth">How many of the largest logits are wanted; 0 where all are.</param>
    /// <param name="cancellation">Looked at between passes.</param>
    internal void Append(scoped ReadOnlySpan<int> tokens, int depth, CancellationToken cancellation)
    {
        CheckRead();
        Reserve(tokens);
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(tokens.Length, _batch.Capacity);
            bool last = count == tokens.Length;
            Place(tokens[..count], last ? BatchOutputs.Last : BatchOutputs.None);
            _logits.Forward(_batch, depth);
            Advance(tokens[..count]);
            if (last) return;
            tokens = tokens[count..];
        }
    }

    /// <summary>Appends tokens and hands out the logits after each of them, in chunks.</summary>
    /// <param name="tokens">At least one id.</param>
    /// <param name="reader">Called for each chunk, in order.</param>
    /// <param name="cancellation">Looked at between passes.</param>
    /// <exception cref="ContextFullException">There is no room for so many tokens; none were added.</exception>
    /// <exception cref="ArgumentException">An id is not in the vocabulary, or there is none.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void EvaluateAll(scoped ReadOnlySpan<int> tokens, LogitsReader reader, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(reader);
        CheckRead();
        Reserve(tokens);
        int rows = (int)Math.Clamp(MostLogitsBytes / (sizeof(float) * (long)_model.VocabularySize), 1, _batch.Capacity);
        _allLogits ??= _model.AllocateLogits(rows);
        for (int first = 0; first < tokens.Length;)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(rows, tokens.Length - first);
            Tensor logits = _allLogits.Tensor.FirstRows(count);
            Place(tokens.Slice(first, count), BatchOutputs.All);
            _model.Forward(_batch, logits);
            Advance(tokens.Slice(first, count));
            reader(first, count, _model.Read(_allLogits, 0, count));
            first += count;
        }
    }

    /// <summary>
    /// A session with the same tokens, and its own from here on. Both hold the same pages of the cache; the one that goes on first copies the last of them, if it is not full.
    /// </summary>
    public Session Fork()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Session fork = _model.CreateSession();
        fork._pages.ShareFrom(_pages);
        Tokens.CopyTo(fork._tokens);
        (fork.Length, fork.PrefixLength, fork.Pending) = (Length, PrefixLength, Pending);
        return fork;
    }

    /// <summary>Saves the session with its keys and values, to be read by <see cref="QuernModel.RestoreSession"/>. An older file is replaced when the new one is whole.</summary>
    /// <param name="path">The file to write.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="NotSupportedException">The model is an encoder–decoder.</exception>
    public void Save(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_model.Task == ModelTask.EncoderDecoder)
            throw new NotSupportedException($"'{_model.File.Path}' ({_model.Config.Architecture}) is an encoder–decoder, whose sessions are not saved; keep the text, and read it again");
        _model.WriteSession(path, Tokens, Pending, _pages.Table);
    }

    /// <summary>Forgets all tokens behind the first <paramref name="length"/>. A recurrent model goes back to the whole page before and computes up to 31 tokens again.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The session has fewer, or they are a part of a text that was read as a whole.</exception>
    /// <exception cref="ContextFullException">A recurrent model: the cache has no page for the tokens that are computed again; they are forgotten too.</exception>
    public void Truncate(int length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (length < 0 || length > Length) throw new ArgumentOutOfRangeException(nameof(length), length, $"a session of {Length} tokens cannot be cut to {length}");
        if (length > 0 && length < PrefixLength)
            throw new ArgumentOutOfRangeException(nameof(length), length, $"a session whose first {PrefixLength} tokens were read as a whole cannot be cut to {length}; expected 0, or at least {PrefixLength}");
        if (length == 0) PrefixLength = 0;
        int kept = _model.Kept(length, Length);
        Length = kept;
        Pending = -1;
        _pages.TryResize(kept);
        if (kept == length) return;
        if (!_model.TryPrepare(_pages, kept, length - kept)) throw _model.CacheFull(length - kept);
        while (Length < length)
        {
            ReadOnlySpan<int> again = _tokens.AsSpan(Length, Math.Min(length - Length, _batch.Capacity));
            Place(again, BatchOutputs.None);
            _model.Forward(_batch, default);
            Advance(again);
        }
    }

    /// <summary>Appends a token to a full context, without the older half of the tokens behind the first <paramref name="keep"/>; see <see cref="ContextShift"/>.</summary>
    internal void Shift(int keep, int token, int depth, CancellationToken cancellation)
    {
        int[] tokens = [.. Tokens, token];
        int left = ContextShift.Apply(tokens, keep, ContextShift.Dropped(tokens.Length, keep));
        Truncate(keep);
        Append(tokens.AsSpan(keep, left - keep), depth, cancellation);
    }

    /// <summary>Gives the session's memory back to the model.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _pages.TryResize(0);
        _logits.Dispose();
        _allLogits?.Dispose();
        _model.Closed(this);
    }

    /// <summary>The logits of the last <see cref="Append"/>, one row, to be changed before sampling.</summary>
    internal PassLogits LastLogits => _logits.Read();

    /// <summary>Bytes of logits that came from elsewhere than this process's memory.</summary>
    internal long CopiedBytes => _logits.CopiedBytes;

    private void CheckRead()
    {
        if (_model.Task == ModelTask.EncoderDecoder && PrefixLength == 0)
            throw new InvalidOperationException($"'{_model.File.Path}' ({_model.Config.Architecture}) writes about a text that it has read: expected Session.Read before, or Session.Generate (quern run)");
    }

    private void Reserve(scoped ReadOnlySpan<int> tokens)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _model.CheckTokens(tokens);
        if (tokens.Length > Remaining) throw ContextFullException.OfSession(_model.ContextLength, Length, tokens.Length);
        if (!_model.TryPrepare(_pages, Length, tokens.Length)) throw _model.CacheFull(tokens.Length);
        Pending = -1;
    }

    private void Place(scoped ReadOnlySpan<int> tokens, BatchOutputs outputs)
    {
        _batch.Clear();
        _batch.Add(tokens, Length, _pages.Table, outputs, PrefixLength);
    }

    private void Advance(scoped ReadOnlySpan<int> tokens)
    {
        tokens.CopyTo(_tokens.AsSpan(Length));
        Length += tokens.Length;
    }
}
